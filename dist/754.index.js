export const id = 754;
export const ids = [754];
export const modules = {

/***/ 68469:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {


// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  Z: () => (/* binding */ Attempts)
});

// EXTERNAL MODULE: ./compiled/error.js
var compiled_error = __webpack_require__(98276);
// EXTERNAL MODULE: ./compiled/net/retry.js
var retry = __webpack_require__(66748);
;// CONCATENATED MODULE: ./compiled/stores/uploads.js
/** As many as a backup has under way (repository/writer.ts). */
const MOST = 32;
/**
 * How many uploads to a store go on at the same time: half as many after a connection was lost, and slowly more again while they succeed
 * (additive increase, multiplicative decrease, as in RFC 5681). On a line that drops every few seconds, many uploads at once would all be
 * lost half done.
 */
class Uploads {
    #most = MOST;
    #running = 0;
    #reduced = 0;
    #waiting = [];
    /** Waits until an upload may begin. To be told how each one ended: `lost` together with its connection. */
    async turn() {
        if (this.#running >= Math.floor(this.#most))
            await new Promise((start, fail) => void this.#waiting.push({ start, fail }));
        else
            this.#running++;
        const began = performance.now();
        return (lost) => {
            this.#running--;
            if (!lost)
                this.#most = Math.min(MOST, this.#most + 1 / this.#most);
            // Those that were under way at the same time are lost for the same reason.
            else if (began > this.#reduced) {
                this.#most = Math.max(1, this.#most / 2);
                this.#reduced = performance.now();
            }
            this.#startMore();
        };
    }
    /** An upload was given up. Those that wait would only be given up later. */
    giveUp(error) {
        for (const { fail } of this.#waiting.splice(0))
            fail(error);
    }
    #startMore() {
        while (this.#running < Math.floor(this.#most) && this.#waiting.length > 0) {
            this.#running++;
            this.#waiting.shift().start();
        }
    }
}

;// CONCATENATED MODULE: ./compiled/stores/attempts.js



/** Attempts with a store that has not answered yet: a wrong address should be reported within minutes. */
const FIRST_TRIES = 4;
/** Attempts with one that has: a service that asks to slow down may do so for a minute. */
const TRIES = 8;
/** Retries the operations of one store on a network. */
class Attempts {
    #options;
    #uploads = new Uploads();
    #answered = false;
    constructor(options) {
        this.#options = options;
    }
    /**
     * Calls `attempt` until it ends with anything but a `Transient`. `what` is read after "cannot", in the error that is left when tries or
     * time run out. `attempt` is told after how many milliseconds without a byte it is to give up: a fifth of the timeout, a minute of the
     * usual five; and how many are left for all attempts. An upload may have to wait for others, for time that does not count.
     */
    async try(what, attempt, { upload = false } = {}) {
        const { signal, timeout, pause } = this.#options;
        try {
            const turn = upload ? () => this.#uploads.turn() : undefined;
            const result = await (0,retry/* retry */.L5)((limit, left) => attempt(Math.min(limit, timeout / 5), left), {
                signal,
                budget: timeout,
                attempts: this.#answered ? TRIES : FIRST_TRIES,
                pause,
                turn,
            });
            this.#answered = true;
            return result;
        }
        catch (error) {
            if (!(error instanceof retry/* Transient */.Rc))
                throw error;
            const failure = new compiled_error/* LifeboatError */.H3(`cannot ${what}: ${error.message}`, {
                cause: error,
                hint: error.hint ??
                    'All attempts failed. Run it once more when the service is well; check its ' +
                        `address${this.#answered ? '' : ', which has not answered at all,'} and the network if it stays like this.`,
            });
            if (upload)
                this.#uploads.giveUp(failure);
            throw failure;
        }
    }
}


/***/ }),

/***/ 10196:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {

/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   x: () => (/* binding */ operationText)
/* harmony export */ });
/** An operation in words, read after "cannot". `store`: the name of the store. */
function operationText(operation, key, store) {
    if (operation === 'list')
        return `list ${store}`;
    const words = {
        put: ['put', 'into'],
        get: ['get', 'from'],
        head: ['look at', 'in'],
        delete: ['delete', 'from'],
    };
    const [verb, place] = words[operation];
    return `${verb} ${key} ${place} ${store}`;
}


/***/ }),

/***/ 16601:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {

/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   W0: () => (/* binding */ isAbsent),
/* harmony export */   _d: () => (/* binding */ isExpired),
/* harmony export */   e2: () => (/* binding */ wantsMd5),
/* harmony export */   to: () => (/* binding */ explained)
/* harmony export */ });
/* harmony import */ var _error_js__WEBPACK_IMPORTED_MODULE_0__ = __webpack_require__(98276);
/* harmony import */ var _net_retry_js__WEBPACK_IMPORTED_MODULE_1__ = __webpack_require__(66748);
/* harmony import */ var _operation_js__WEBPACK_IMPORTED_MODULE_2__ = __webpack_require__(10196);



const PERMISSIONS = {
    put: 's3:PutObject on the objects of the bucket (and kms:GenerateDataKey and kms:Decrypt on the key, where it encrypts with one)',
    // Amazon S3, "GetObject": without s3:ListBucket, an object that is not there is answered by 403 instead of 404.
    get: 's3:GetObject on the objects of the bucket (and kms:Decrypt on the key, where it encrypts with one), and s3:ListBucket on the ' +
        'bucket, without which an object that is not there is refused as well',
    head: 's3:GetObject on the objects of the bucket, and s3:ListBucket on the bucket, without which an object that is not there is refused as ' +
        'well',
    list: 's3:ListBucket on the bucket',
    delete: 's3:DeleteObject on the objects of the bucket. Where an object lock or a policy keeps them on purpose, they can be deleted when it ' +
        'ends',
};
const PASSING = [
    'SlowDown',
    'SlowDownRead',
    'SlowDownWrite',
    'Throttling',
    'ThrottlingException',
    'RequestLimitExceeded',
    'RequestThrottled',
    'RequestThrottledException',
    'TooManyRequests',
    'TooManyRequestsException',
    'BandwidthLimitExceeded',
    'RequestTimeout',
    'InternalError',
    'ServiceUnavailable',
    'OperationAborted',
    'IncompleteBody',
    // Bytes that were changed on their way.
    'BadDigest',
    'XAmzContentSHA256Mismatch',
    'XAmzContentChecksumMismatch',
];
const SKEWED = ['RequestTimeTooSkewed', 'RequestExpired', 'RequestInTheFuture'];
const EXPIRED = ['ExpiredToken', 'ExpiredTokenException', 'TokenRefreshRequired'];
/** Hints for codes that mean the same whatever was asked. */
const HINTS = {
    NoSuchBucket: 'Make the bucket first, or correct its name, the region or the endpoint.',
    InvalidBucketName: 'Correct the name of the bucket in the destination.',
    InvalidAccessKeyId: 'The service does not know the access key. Is it one of this service (endpoint=), and still active?',
    SignatureDoesNotMatch: 'The secret access key is wrong, or the endpoint is reached by another name than it is told. In a destination, % must be written %25.',
    InvalidToken: 'The session token does not belong to the access key; set AWS_SESSION_TOKEN only with temporary credentials.',
    InvalidObjectState: 'Its storage class is an archive, which cannot be read at once: restore the objects in the bucket first, and use a class that can be ' +
        'read for backups.',
    InvalidStorageClass: 'Correct storage-class= in the destination; not every service has each of them.',
    AuthorizationHeaderMalformed: 'Give the region of the bucket as region= in the destination.',
    PermanentRedirect: 'Give the region of the bucket as region= in the destination, or its endpoint as endpoint=.',
    IllegalLocationConstraintException: 'Give the region of the bucket as region= in the destination.',
    NotImplemented: 'The service does not have what was asked of it; leave out storage-class= and sse= in the destination.',
    ExpiredToken: 'Temporary credentials end after their hour or so. Give them again; in a workflow, set AWS_ROLE_ARN and `permissions: id-token: ' +
        'write` instead, and they are renewed while the backup runs.',
};
/** The error of a person for one of the SDK's or of ours. A `Transient` may be tried again. */
function explained(error, operation, key, store) {
    if (error instanceof _error_js__WEBPACK_IMPORTED_MODULE_0__/* .LifeboatError */ .H3 || !(error instanceof Error))
        return error;
    const told = toldBy(error);
    const says = `${told.code || `status ${told.status}`}${told.message && told.message !== told.code ? `: ${told.message}` : ''}`;
    if (PASSING.includes(told.code))
        return new _net_retry_js__WEBPACK_IMPORTED_MODULE_1__/* .Transient */ .Rc(says, { cause: error });
    if (SKEWED.includes(told.code)) {
        return new _net_retry_js__WEBPACK_IMPORTED_MODULE_1__/* .Transient */ .Rc(says, {
            cause: error,
            hint: 'Set the clock of this machine (NTP): it differs from that of the service by more than a quarter of an hour.',
        });
    }
    if (told.status === 0)
        return withoutAnswer(error, store);
    const code = EXPIRED.includes(told.code) ? 'ExpiredToken' : told.code;
    const denied = told.status === 403 && !Object.hasOwn(HINTS, code);
    const hint = denied
        ? `Give the credentials ${PERMISSIONS[operation]}.`
        : (HINTS[code] ??
            (told.status === 404
                ? HINTS['NoSuchBucket']
                : 'Check the destination: the endpoint must be that of an S3 service, and path-style=true is right for many that are not Amazon.'));
    return new _error_js__WEBPACK_IMPORTED_MODULE_0__/* .LifeboatError */ .H3(`cannot ${(0,_operation_js__WEBPACK_IMPORTED_MODULE_2__/* .operationText */ .x)(operation, key, store)}: ${says}`, { cause: error, hint });
}
function isAbsent(error, operation) {
    const { code, status } = toldBy(error);
    // An answer to HEAD has no body, and so no code.
    return status === 404 && (code === 'NoSuchKey' || code === 'NotFound' || (operation === 'head' && code !== 'NoSuchBucket'));
}
function isExpired(error) {
    return EXPIRED.includes(toldBy(error).code);
}
/** Objects of a bucket with object lock are taken only with a checksum in the header that every service knows. */
function wantsMd5(error) {
    const { code, message, status } = toldBy(error);
    return (status === 400 &&
        (code === 'InvalidRequest' || code === 'InvalidArgument' || code === 'MissingContentMD5') &&
        /content-md5/i.test(message));
}
function toldBy(error) {
    if (!(error instanceof Error))
        return { code: '', message: '', status: 0 };
    const metadata = '$metadata' in error ? error.$metadata : undefined;
    const status = typeof metadata === 'object' && metadata !== null && 'httpStatusCode' in metadata && typeof metadata.httpStatusCode === 'number'
        ? metadata.httpStatusCode
        : 0;
    const code = ['Error', 'Unknown', 'UnknownError', 'SyntaxError', `${status}`].includes(error.name) ? '' : error.name;
    // The SDK's own words on an answer that is not XML are of use to programmers alone.
    const message = code === '' || /^(UnknownError|Deserialization error)/.test(error.message) ? '' : error.message;
    return { code, message, status };
}
/** A failure of the SDK itself, before it asks anything. */
function withoutAnswer(error, store) {
    const credentials = /credential|token|profile|role|sso/i;
    if (error.name === 'CredentialsProviderError' ||
        error.name === 'TokenProviderError' ||
        (error.name === 'Error' && credentials.test(error.message))) {
        return new _error_js__WEBPACK_IMPORTED_MODULE_0__/* .LifeboatError */ .H3(`there are no credentials for ${store}: ${error.message}`, {
            cause: error,
            hint: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; or in a workflow AWS_ROLE_ARN, with `permissions: id-token: write`; or give ' +
                'access-key-id= and secret-access-key= in the destination.',
        });
    }
    if (/region is missing/i.test(error.message)) {
        return new _error_js__WEBPACK_IMPORTED_MODULE_0__/* .LifeboatError */ .H3(`the region of ${store} is not known`, {
            cause: error,
            hint: 'Give region= in the destination, or set AWS_REGION.',
        });
    }
    return error;
}


/***/ }),

/***/ 64754:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {


// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  f: () => (/* binding */ openSession)
});

// UNUSED EXPORTS: S3Session

// EXTERNAL MODULE: ../../node_modules/@aws-sdk/client-s3/dist-cjs/index.js
var dist_cjs = __webpack_require__(28299);
// EXTERNAL MODULE: ./compiled/stores/attempts.js + 1 modules
var attempts = __webpack_require__(68469);
// EXTERNAL MODULE: ./compiled/net/retry.js
var retry = __webpack_require__(66748);
// EXTERNAL MODULE: ./compiled/stores/operation.js
var stores_operation = __webpack_require__(10196);
// EXTERNAL MODULE: ./compiled/stores/store.js
var store = __webpack_require__(19288);
// EXTERNAL MODULE: external "node:stream"
var external_node_stream_ = __webpack_require__(57075);
// EXTERNAL MODULE: ./compiled/net/http.js
var http = __webpack_require__(30196);
;// CONCATENATED MODULE: ./compiled/stores/s3/requests.js



/** Of answers that are no object: a page of a listing has a thousand keys. */
const LARGEST_ANSWER = 16 * 1024 * 1024;
/**
 * How the client of Amazon's SDK asks a service: as every store does, so that stalls, proxies and lost connections are dealt with in one
 * place. `Limits` are given with each command.
 */
class Requests {
    metadata = { handlerProtocol: 'http/1.1' };
    #signal;
    #silence;
    /** `silence` is for what the SDK asks by itself. */
    constructor(signal, silence) {
        this.#signal = signal;
        this.#silence = silence;
    }
    async handle(asked, limits = {}) {
        const answer = await this.ask(asked, limits);
        return { response: { statusCode: answer.status, headers: Object.fromEntries(answer.headers), body: external_node_stream_.Readable.from([answer.body]) } };
    }
    /** A whole answer, whatever its status. Throws `TooLong`. */
    async ask(asked, { requestTimeout: silence = this.#silence, maximum = LARGEST_ANSWER }) {
        const { protocol, hostname, port, path, query = {}, method, headers } = asked;
        const parameters = Object.entries(query).flatMap(([name, value]) => (Array.isArray(value) ? value : [value ?? '']).map((one) => `${escaped(name)}=${escaped(one)}`));
        const url = new URL(`${protocol}//${hostname}${port === undefined ? '' : `:${port}`}`);
        const whole = `${path}${parameters.length > 0 ? `?${parameters.join('&')}` : ''}`;
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- ours, or a form of the SDK's
        const body = asked.body;
        const answer = await (0,http/* request */.Em)(url, { method, headers, body, path: whole }, { signal: this.#signal, silence, maximum });
        const announced = answer.headers.get('content-length');
        if (method !== 'HEAD' && announced !== null && Number(announced) !== answer.body.length) {
            throw new retry/* Transient */.Rc(`${url.host} sent ${answer.body.length} bytes where it announced ${announced}`);
        }
        return answer;
    }
    // The SDK wants these; there is nothing that could be changed.
    updateHttpClientConfig() { }
    httpHandlerConfigs() {
        return {};
    }
}
/** RFC 3986, as signatures count it. */
function escaped(text) {
    return encodeURIComponent(text).replaceAll(/[!'()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`);
}

;// CONCATENATED MODULE: ./compiled/stores/s3/direct.js

/** SHA-256 of no bytes: the body of a GET. */
const NOTHING = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
/**
 * Asks for objects as the SDK did before, signed by the SDK, but without the rest of what it does around each request, which takes several
 * times as long as the request itself; a list of a thousand snapshots is thousands of them.
 */
class Direct {
    #client;
    #requests;
    #route;
    constructor(client, requests) {
        this.#client = client;
        this.#requests = requests;
        const follow = { name: 'lifeboatFollow', step: 'finalizeRequest', priority: 'low' };
        client.middlewareStack.add((next, { commandName }) => async (args) => {
            const answered = await next(args);
            // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the SDK's own request, and the input of a GetObjectCommand
            if (commandName === 'GetObjectCommand')
                await this.#learn(args.request, args.input.Key);
            return answered;
        }, follow);
    }
    /**
     * The object at a key of the bucket, or its headers; undefined for any other answer than 200: the SDK, asked again, knows what it means.
     */
    async ask(method, key, limits) {
        const route = this.#route;
        if (!route)
            return undefined;
        const request = {
            ...route.asked,
            method,
            path: route.path + path(key),
            query: {},
            headers: { host: route.host, 'x-amz-content-sha256': NOTHING },
        };
        const signed = await route.signer.sign(request, {
            signingDate: new Date(Date.now() + this.#client.config.systemClockOffset),
            signingRegion: route.region,
            signingService: 's3',
        });
        const answer = await this.#requests.ask({ ...request, headers: signed.headers }, limits);
        return answer.status === 200 ? answer : undefined;
    }
    /** From a request that was answered well. */
    async #learn({ protocol, hostname, port, path: asked, headers }, key) {
        const host = headers['host'];
        // AWS Signature Version 4, "Credential": key, day, region, service.
        const [, region] = /Credential=[^,]*\/\d{8}\/([^/,]+)\/s3\/aws4_request,/.exec(headers['authorization'] ?? '') ?? [];
        if (host === undefined || region === undefined || !asked.endsWith(path(key)))
            return;
        const signer = await this.#client.config.signer();
        this.#route = { asked: { protocol, hostname, port }, host, path: asked.slice(0, -path(key).length), region, signer };
    }
}
function path(key) {
    return `/${key.split('/').map(escaped).join('/')}`;
}

// EXTERNAL MODULE: ./compiled/stores/s3/errors.js
var errors = __webpack_require__(16601);
// EXTERNAL MODULE: ./compiled/error.js
var error = __webpack_require__(98276);
// EXTERNAL MODULE: ./compiled/stores/workflow-identity.js
var workflow_identity = __webpack_require__(61863);
;// CONCATENATED MODULE: ./compiled/stores/s3/identity.js




const HINT = 'The role must trust the identity provider token.actions.githubusercontent.com for this repository (sub) and the audience ' +
    'sts.amazonaws.com; AWS_ROLE_ARN names it.';
/**
 * In a job with `permissions: id-token: write` and with AWS_ROLE_ARN set: exchanges the job's own identity for credentials of that role,
 * and again whenever they run out. Undefined where that is not so, or where other variables say how to get credentials.
 */
function workflowIdentity(access) {
    const { AWS_ROLE_ARN: role, ACTIONS_ID_TOKEN_REQUEST_URL: url, ACTIONS_ID_TOKEN_REQUEST_TOKEN: bearer, AWS_WEB_IDENTITY_TOKEN_FILE: file, AWS_ACCESS_KEY_ID: key, } = access.variables;
    if (!role || !url || !bearer || file || key)
        return undefined;
    return async () => assumeRole(role, await (0,workflow_identity/* jobToken */.P)({ url, bearer, audience: 'sts.amazonaws.com' }, access), access);
}
/** AWS Security Token Service, AssumeRoleWithWebIdentity. */
async function assumeRole(role, token, { variables, signal, timeout, region, mask }) {
    const url = new URL(variables['AWS_ENDPOINT_URL_STS'] || `https://sts.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}/`);
    const name = (variables['AWS_ROLE_SESSION_NAME'] || `lifeboat-${variables['GITHUB_RUN_ID'] ?? 'run'}`).slice(0, 64);
    const body = new URLSearchParams({
        Action: 'AssumeRoleWithWebIdentity',
        Version: '2011-06-15',
        RoleArn: role,
        RoleSessionName: name,
        WebIdentityToken: token,
    }).toString();
    const headers = { 'content-type': 'application/x-www-form-urlencoded', accept: 'text/xml' };
    const answer = await (0,retry/* retry */.L5)((silence) => (0,http/* request */.Em)(url, { method: 'POST', headers, body }, { signal, silence, maximum: 1_000_000 }), {
        signal,
        budget: timeout,
    });
    const xml = answer.body.toString('utf8');
    const [accessKeyId, secretAccessKey, sessionToken, expiration] = ['AccessKeyId', 'SecretAccessKey', 'SessionToken', 'Expiration'].map((tag) => identity_element(xml, tag));
    if (answer.status !== 200 || !accessKeyId || !secretAccessKey || !sessionToken || !expiration) {
        throw new error/* LifeboatError */.H3(`${url.host} gives this job no credentials of the role ${role}: ` +
            `${identity_element(xml, 'Code') ?? `status ${answer.status}`}${said(identity_element(xml, 'Message'))}`, { hint: HINT });
    }
    for (const secret of [secretAccessKey, sessionToken])
        mask(secret);
    return { accessKeyId, secretAccessKey, sessionToken, expiration: new Date(expiration) };
}
/** The text of an element that has no other in it and, as all of these, no characters that XML would escape. */
function identity_element(xml, tag) {
    return new RegExp(`<${tag}>([^<]*)</${tag}>`).exec(xml)?.[1]?.trim();
}
function said(message) {
    return message ? `: ${message}` : '';
}

;// CONCATENATED MODULE: ./compiled/stores/s3/session.js









/** Amazon's client for one bucket, and how patiently it is asked. */
class S3Session {
    client;
    /** Its quick way to what is there. */
    direct;
    /** The bucket, or the part of it, as people know it. */
    name;
    #attempts;
    constructor(name, client, requests, options) {
        this.name = name;
        this.client = client;
        this.direct = new Direct(client, requests);
        this.#attempts = new attempts/* Attempts */.Z(options);
    }
    /**
     * Calls `attempt` until it ends with anything but trouble that passes. Throws NotFound for an object that is not there, and
     * LifeboatError.
     */
    async try(operation, key, attempt) {
        const what = (0,stores_operation/* operationText */.x)(operation, key, this.name);
        return this.#attempts.try(what, async (silence) => {
            try {
                return await attempt(silence);
            }
            catch (error) {
                if ((0,errors/* isAbsent */.W0)(error, operation))
                    throw new store/* NotFound */.Mk(key, this.name, { cause: error });
                if ((0,errors/* isExpired */._d)(error) && (await this.#renewed()))
                    throw new retry/* Transient */.Rc('the credentials have expired', { cause: error });
                throw (0,errors/* explained */.to)(error, operation, key, this.name);
            }
        }, { upload: operation === 'put' });
    }
    /** Asks for credentials again; false when they are the same as before. */
    async #renewed() {
        const credentials = this.client.config.credentials;
        const before = await credentials();
        return (await credentials({ forceRefresh: true })).accessKeyId !== before.accessKeyId;
    }
}
/** Nothing is asked of the service yet. */
function openSession(destination, options) {
    const { variables, signal, report, timeout } = options;
    for (const name of ['AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'ACTIONS_ID_TOKEN_REQUEST_TOKEN']) {
        if (variables[name])
            report.mask(variables[name]);
    }
    const { endpoint, pathStyle: forcePathStyle, credentials } = destination;
    // Services other than Amazon seldom have regions, but every signature names one.
    const region = destination.region ?? (variables['AWS_REGION'] || variables['AWS_DEFAULT_REGION'] || (endpoint === undefined ? undefined : 'us-east-1'));
    const identity = workflowIdentity({ variables, signal, timeout, region: region ?? 'us-east-1', mask: (secret) => report.mask(secret) });
    const requests = new Requests(signal, timeout / 5);
    const client = new dist_cjs/* S3Client */.YxF({
        region,
        endpoint,
        forcePathStyle,
        credentials: credentials ?? identity,
        requestHandler: requests,
        // Trailers with checksums are beyond many services.
        requestChecksumCalculation: 'WHEN_REQUIRED',
        responseChecksumValidation: 'WHEN_REQUIRED',
        followRegionRedirects: true,
        expectContinueHeader: false,
        // Tried again in one place, by `Attempts`.
        maxAttempts: 1,
    });
    return new S3Session(destination.text, client, requests, options);
}


/***/ }),

/***/ 61863:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {

/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   P: () => (/* binding */ jobToken)
/* harmony export */ });
/* harmony import */ var zod__WEBPACK_IMPORTED_MODULE_3__ = __webpack_require__(34410);
/* harmony import */ var _error_js__WEBPACK_IMPORTED_MODULE_0__ = __webpack_require__(98276);
/* harmony import */ var _net_http_js__WEBPACK_IMPORTED_MODULE_1__ = __webpack_require__(30196);
/* harmony import */ var _net_retry_js__WEBPACK_IMPORTED_MODULE_2__ = __webpack_require__(66748);




/** The token that says which job this is (GitHub, "About security hardening with OpenID Connect"). */
async function jobToken(asked, { signal, timeout, mask }) {
    const url = new URL(asked.url);
    url.searchParams.set('audience', asked.audience);
    const answer = await (0,_net_retry_js__WEBPACK_IMPORTED_MODULE_2__/* .retry */ .L5)((silence) => (0,_net_http_js__WEBPACK_IMPORTED_MODULE_1__/* .request */ .Em)(url, { headers: { authorization: `Bearer ${asked.bearer}` } }, { signal, silence, maximum: 1_000_000 }), { signal, budget: timeout });
    const parsed = answer.status === 200 ? zod__WEBPACK_IMPORTED_MODULE_3__/* .object */ .Ikc({ value: zod__WEBPACK_IMPORTED_MODULE_3__/* .string */ .YjP().min(1) }).safeParse(jsonOf(answer.body)) : undefined;
    if (!parsed?.success) {
        throw new _error_js__WEBPACK_IMPORTED_MODULE_0__/* .LifeboatError */ .H3(`GitHub gave this job no identity token (status ${answer.status})`, {
            hint: 'Give the job `permissions: id-token: write`.',
        });
    }
    mask(parsed.data.value);
    return parsed.data.value;
}
function jsonOf(body) {
    try {
        return JSON.parse(body.toString('utf8'));
    }
    catch {
        // The caller reports that there is no token in it.
        return undefined;
    }
}


/***/ })

};
