export const id = 74;
export const ids = [74];
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

/***/ 7074:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {

// ESM COMPAT FLAG
__webpack_require__.r(__webpack_exports__);

// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  openAzblob: () => (/* binding */ openAzblob)
});

// EXTERNAL MODULE: external "node:crypto"
var external_node_crypto_ = __webpack_require__(77598);
// EXTERNAL MODULE: ../../node_modules/@azure/storage-blob/dist/esm/index.js + 285 modules
var esm = __webpack_require__(65504);
// EXTERNAL MODULE: ./compiled/error.js
var compiled_error = __webpack_require__(98276);
// EXTERNAL MODULE: external "node:fs/promises"
var promises_ = __webpack_require__(51455);
// EXTERNAL MODULE: ../../node_modules/zod/v4/classic/schemas.js + 10 modules
var schemas = __webpack_require__(34410);
// EXTERNAL MODULE: ./compiled/net/http.js
var http = __webpack_require__(30196);
// EXTERNAL MODULE: ./compiled/net/retry.js
var retry = __webpack_require__(66748);
// EXTERNAL MODULE: ./compiled/stores/workflow-identity.js
var workflow_identity = __webpack_require__(61863);
;// CONCATENATED MODULE: ./compiled/stores/azblob/identity.js






const AUDIENCE = 'api://AzureADTokenExchange';
/** Milliseconds before its end at which a token is no longer used. */
const RESERVE = 300_000;
const granted = schemas/* object */.Ikc({ access_token: schemas/* string */.YjP().min(1), expires_in: schemas/* number */.aig().min(0) });
const refused = schemas/* object */.Ikc({ error_description: schemas/* string */.YjP() });
/**
 * With AZURE_CLIENT_ID and AZURE_TENANT_ID set: exchanges a federated token, of the file AZURE_FEDERATED_TOKEN_FILE or of a job with
 * `permissions: id-token: write`, for one of Azure Storage, and again whenever it runs out. Undefined where that is not so. (Microsoft
 * identity platform, "Access token request with a federated credential".)
 */
function federatedToken(access) {
    const { AZURE_CLIENT_ID: client, AZURE_TENANT_ID: tenant, AZURE_FEDERATED_TOKEN_FILE: file, ACTIONS_ID_TOKEN_REQUEST_URL: url, ACTIONS_ID_TOKEN_REQUEST_TOKEN: bearer, } = access.variables;
    if (!client || !tenant || !(file || (url && bearer)))
        return undefined;
    let current;
    let asked;
    const renew = async () => {
        const assertion = file
            ? (await (0,promises_.readFile)(file, 'utf8')).trim()
            : await (0,workflow_identity/* jobToken */.P)({ url: url, bearer: bearer, audience: AUDIENCE }, access);
        const { access_token: token, expires_in: seconds } = await exchange(client, tenant, assertion, access);
        current = { token, until: Date.now() + seconds * 1000 - RESERVE };
        return token;
    };
    return async () => {
        if (current && Date.now() < current.until)
            return current.token;
        // Requests at the same time wait for the same token.
        asked ??= renew().finally(() => (asked = undefined));
        return asked;
    };
}
async function exchange(client, tenant, assertion, { variables, signal, timeout, mask }) {
    const authority = variables['AZURE_AUTHORITY_HOST'] || 'https://login.microsoftonline.com';
    const url = new URL(`${authority.replace(/\/+$/, '')}/${encodeURIComponent(tenant)}/oauth2/v2.0/token`);
    const body = new URLSearchParams({
        client_id: client,
        scope: 'https://storage.azure.com/.default',
        grant_type: 'client_credentials',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: assertion,
    }).toString();
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const answer = await (0,retry/* retry */.L5)((silence) => (0,http/* request */.Em)(url, { method: 'POST', headers, body }, { signal, silence, maximum: 1_000_000 }), {
        signal,
        budget: timeout,
    });
    const told = jsonOf(answer.body);
    const parsed = answer.status === 200 ? granted.safeParse(told) : undefined;
    if (!parsed?.success) {
        const reason = refused.safeParse(told).data?.error_description.split('\r\n')[0] ?? `status ${answer.status}`;
        throw new compiled_error/* LifeboatError */.H3(`${url.host} gives no token of Azure Storage to the client ${client}: ${reason}`, {
            hint: 'The application AZURE_CLIENT_ID needs a federated credential for this repository and branch, and the role Storage Blob Data ' +
                'Contributor on the container.',
        });
    }
    mask(parsed.data.access_token);
    return parsed.data;
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

// EXTERNAL MODULE: external "node:async_hooks"
var external_node_async_hooks_ = __webpack_require__(16698);
// EXTERNAL MODULE: external "node:stream"
var external_node_stream_ = __webpack_require__(57075);
;// CONCATENATED MODULE: ./compiled/stores/azblob/requests.js




/** Of answers that are no object: a page of a listing has 5,000 names. */
const LARGEST_ANSWER = 16 * 1024 * 1024;
/** Bytes of a good answer that are read to the requests made within; Azure's client has no way to hand it on. */
const maximum = new external_node_async_hooks_.AsyncLocalStorage();
/** How Azure's client asks the service: as every store does, so that stalls, proxies and lost connections are dealt with in one place. */
class Requests {
    #options;
    constructor(options) {
        this.#options = options;
    }
    async sendRequest(asked) {
        const { signal, silence, token } = this.#options;
        const url = new URL(asked.url);
        const headers = { ...asked.headers.toJson(), ...(token && { authorization: `Bearer ${await token()}` }) };
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- ours, or text of the client's
        const sent = asked.body;
        const { status, headers: received, body, } = await (0,http/* request */.Em)(url, { method: asked.method, headers, body: sent }, { signal, silence, maximum: maximum.getStore() ?? LARGEST_ANSWER });
        const announced = received.get('content-length');
        if (asked.method !== 'HEAD' && announced !== null && Number(announced) !== body.length) {
            throw new retry/* Transient */.Rc(`${url.host} sent ${body.length} bytes where it announced ${announced}`);
        }
        // Another server that answers with status 200, a login page for instance, would read as an empty store.
        if (!received.has('x-ms-request-id'))
            throw new retry/* Transient */.Rc(`the answer of ${url.host} is not that of Azure Blob Storage`);
        const answered = asked.headers.clone();
        for (const name of answered.headerNames())
            answered.remove(name);
        for (const [name, value] of received)
            answered.set(name, value);
        const streamed = asked.streamResponseStatusCodes?.has(status) === true;
        return {
            request: asked,
            status,
            headers: answered,
            ...(streamed ? { readableStreamBody: external_node_stream_.Readable.from([body]) } : { bodyAsText: body.toString('utf8') }),
        };
    }
}

// EXTERNAL MODULE: ./compiled/stores/attempts.js + 1 modules
var attempts = __webpack_require__(68469);
// EXTERNAL MODULE: ./compiled/stores/operation.js
var stores_operation = __webpack_require__(10196);
// EXTERNAL MODULE: ./compiled/stores/store.js
var store = __webpack_require__(19288);
;// CONCATENATED MODULE: ./compiled/stores/azblob/store.js










/** A store in a container of Azure Blob Storage. Each object is one put of a block blob, so that it is there as a whole or not. */
class AzblobStore {
    name;
    #prefix;
    #container;
    #attempts;
    constructor(destination, container, options) {
        this.name = destination.text;
        this.#prefix = destination.prefix;
        this.#container = container;
        this.#attempts = new attempts/* Attempts */.Z(options);
    }
    async put(key, bytes) {
        const blob = this.#container.getBlockBlobClient(this.#prefix + (0,store/* checkKey */.yR)(key));
        // Kept by the service for those who read.
        const blobContentMD5 = (0,external_node_crypto_.createHash)('md5').update(bytes).digest();
        await this.#try('put', key, async () => {
            const { contentMD5: arrived } = await blob.upload(bytes, bytes.length, { blobHTTPHeaders: { blobContentMD5 } });
            if (arrived && !blobContentMD5.equals(arrived))
                throw new retry/* Transient */.Rc('other bytes arrived than were sent');
        });
    }
    async get(key, most) {
        const blob = this.#container.getBlobClient(this.#prefix + (0,store/* checkKey */.yR)(key));
        return this.#try('get', key, async () => {
            const { readableStreamBody, contentMD5 } = await maximum
                .run(most, () => blob.download(0, undefined, { maxRetryRequests: 0 }))
                .catch((error) => {
                throw error instanceof http/* TooLong */.VL ? (0,store/* tooLarge */.g$)(most, key, this.name) : error;
            });
            const pieces = [];
            for await (const piece of readableStreamBody ?? [])
                pieces.push(Buffer.from(piece));
            const bytes = Buffer.concat(pieces);
            if (contentMD5 && !(0,external_node_crypto_.createHash)('md5').update(bytes).digest().equals(contentMD5)) {
                throw new retry/* Transient */.Rc('its bytes are not those of its checksum');
            }
            return bytes;
        });
    }
    async head(key) {
        const blob = this.#container.getBlobClient(this.#prefix + (0,store/* checkKey */.yR)(key));
        return this.#try('head', key, async () => {
            const { contentLength: size, lastModified: modified } = await blob.getProperties();
            if (size === undefined || modified === undefined)
                throw new retry/* Transient */.Rc('the service does not tell its size and time');
            return { key, size, modified };
        });
    }
    async *list(prefix) {
        let token;
        do {
            const { segment, continuationToken } = await this.#page(prefix, token);
            for (const { name, properties } of segment.blobItems) {
                const key = name.slice(this.#prefix.length);
                if ((0,store/* isKey */.m0)(key))
                    yield { key, size: properties.contentLength ?? 0, modified: properties.lastModified };
            }
            token = continuationToken;
        } while (token);
    }
    async #page(prefix, continuationToken) {
        return this.#try('list', '', async () => {
            const { value } = await this.#container
                .listBlobsFlat({ prefix: this.#prefix + prefix })
                .byPage({ maxPageSize: 5000, continuationToken })
                .next();
            if (!value)
                throw new retry/* Transient */.Rc('the service does not answer with a listing');
            return value;
        });
    }
    async delete(key) {
        const blob = this.#container.getBlobClient(this.#prefix + (0,store/* checkKey */.yR)(key));
        await this.#try('delete', key, async () => {
            try {
                await blob.delete();
            }
            catch (error) {
                if (!isAbsent(error))
                    throw error;
            }
        });
    }
    async close() { }
    async #try(operation, key, attempt) {
        const what = (0,stores_operation/* operationText */.x)(operation, key, this.name);
        return this.#attempts.try(what, async () => {
            try {
                return await attempt();
            }
            catch (error) {
                if (isAbsent(error) && operation !== 'list')
                    throw new store/* NotFound */.Mk(key, this.name, { cause: error });
                throw explained(error, operation, what);
            }
        }, { upload: operation === 'put' });
    }
}
const LETTERS = {
    put: 'create and write (sp=cw)',
    get: 'read (sp=r)',
    head: 'read (sp=r)',
    list: 'list (sp=l)',
    delete: 'delete (sp=d)',
};
const HINTS = {
    ContainerNotFound: 'Make the container first, or correct its name in the destination.',
    ContainerBeingDeleted: 'Someone deletes the container: make another, or wait until it is gone.',
    AuthenticationFailed: 'The key or the shared access signature is wrong or has expired, or the clock of this machine differs from that of the service by ' +
        'more than a quarter of an hour.',
    InvalidAuthenticationInfo: 'The key or the shared access signature is not well-formed, or the token is of another tenant.',
    NoAuthenticationInformation: 'Give the credentials: AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_CONNECTION_STRING, or a federated identity ' +
        '(docs/stores.md).',
    PublicAccessNotPermitted: 'Give the credentials: AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_CONNECTION_STRING, or a federated identity ' +
        '(docs/stores.md).',
    KeyBasedAuthenticationNotPermitted: 'The account takes no keys: use a federated identity (docs/stores.md).',
    AuthorizationFailure: 'The key is wrong, or the shared access signature has expired or does not allow this; or the firewall of the storage account keeps ' +
        'this machine out.',
    BlobArchived: 'It is in the archive tier, which cannot be read at once: move the blobs to another tier first.',
    BlobImmutableDueToPolicy: 'An immutability policy or a legal hold keeps it; it can be deleted when that ends.',
    AccountIsDisabled: 'The storage account is disabled.',
};
function isAbsent(error) {
    const { code, status } = toldBy(error);
    return status === 404 && ['BlobNotFound', 'ResourceNotFound', ''].includes(code);
}
function explained(error, operation, what) {
    const { code, status, message } = toldBy(error);
    if (status === 0)
        return error;
    // Bytes that were changed on their way.
    if (code === 'Md5Mismatch')
        return new retry/* Transient */.Rc(code, { cause: error });
    const permission = `Give the credentials the permission to ${LETTERS[operation]} in the container, ` +
        'or the role Storage Blob Data Contributor.';
    const hint = HINTS[code] ?? (status === 403 || status === 401 ? permission : 'Check account, container and endpoint of the destination.');
    return new compiled_error/* LifeboatError */.H3(`cannot ${what}: ${code || `status ${status}`}${message && `: ${message}`}`, { cause: error, hint });
}
/** The words of the service; the status is 0 if it did not answer. */
function toldBy(error) {
    if (!(error instanceof Error) || error.name !== 'RestError' || !('statusCode' in error))
        return { code: '', status: 0, message: '' };
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the name says so; there are several copies of the class
    const { code, statusCode = 0, response, message } = error;
    // The rest of the message is the request's id and headers.
    return {
        code: response?.headers.get('x-ms-error-code') ?? code ?? '',
        status: statusCode,
        message: /^[\w .,:;'"()/-]*/.exec(message.split('\n')[0])[0],
    };
}
/** Nothing is asked of the service yet. Throws when there are no credentials. */
function openAzblob(destination, options) {
    const { variables, signal, report, timeout } = options;
    const access = accessTo(destination, variables);
    for (const secret of access.secrets)
        report.mask(secret);
    const token = access.kind === 'identity' ? federatedToken({ variables, signal, timeout, mask: (secret) => report.mask(secret) }) : undefined;
    if (access.kind === 'identity' && token === undefined) {
        throw new compiled_error/* LifeboatError */.H3(`there are no credentials for ${destination.text}`, { hint: HINTS['NoAuthenticationInformation'] });
    }
    const pipeline = { httpClient: new Requests({ signal, silence: timeout / 5, token }), retryOptions: { maxTries: 1 } };
    const service = serviceOf(destination, access, pipeline);
    return new AzblobStore(destination, service.getContainerClient(destination.container), options);
}
/** The credentials in the destination take precedence over the variables that Azure's own tools know. */
function accessTo({ key, sas }, variables) {
    const { AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN, AZURE_STORAGE_CONNECTION_STRING } = variables;
    if (key !== undefined)
        return { kind: 'key', key, secrets: [key] };
    if (sas !== undefined)
        return { kind: 'sas', sas, secrets: [sas] };
    if (AZURE_STORAGE_CONNECTION_STRING) {
        const parts = [...AZURE_STORAGE_CONNECTION_STRING.matchAll(/(?:AccountKey|SharedAccessSignature)=([^;]+)/gi)].map((match) => match[1]);
        return { kind: 'connection', text: AZURE_STORAGE_CONNECTION_STRING, secrets: [AZURE_STORAGE_CONNECTION_STRING, ...parts] };
    }
    if (AZURE_STORAGE_KEY)
        return { kind: 'key', key: AZURE_STORAGE_KEY, secrets: [AZURE_STORAGE_KEY] };
    if (AZURE_STORAGE_SAS_TOKEN)
        return { kind: 'sas', sas: AZURE_STORAGE_SAS_TOKEN.replace(/^\?/, ''), secrets: [AZURE_STORAGE_SAS_TOKEN] };
    return { kind: 'identity', secrets: [] };
}
function serviceOf({ account, endpoint, text }, access, options) {
    const url = endpoint ?? `https://${account}.blob.core.windows.net`;
    if (access.kind === 'key')
        return new esm/* BlobServiceClient */.wS(url, (0,esm/* newPipeline */.vC)(new esm/* StorageSharedKeyCredential */.Z3(account, access.key), options));
    if (access.kind === 'sas')
        return new esm/* BlobServiceClient */.wS(`${url}?${access.sas}`, (0,esm/* newPipeline */.vC)(new esm/* AnonymousCredential */.tv(), options));
    if (access.kind === 'identity')
        return new esm/* BlobServiceClient */.wS(url, (0,esm/* newPipeline */.vC)(new esm/* AnonymousCredential */.tv(), options));
    const service = connected(access.text, options);
    if (service.accountName !== account) {
        throw new compiled_error/* LifeboatError */.H3(`AZURE_STORAGE_CONNECTION_STRING is not of the account of ${text}`, {
            hint: `It should have AccountName=${account}.`,
            status: 2,
        });
    }
    return service;
}
function connected(text, options) {
    try {
        return esm/* BlobServiceClient */.wS.fromConnectionString(text, options);
    }
    catch {
        // Its message may show parts of the string.
        throw new compiled_error/* LifeboatError */.H3('AZURE_STORAGE_CONNECTION_STRING is not a connection string', {
            hint: 'It should be like DefaultEndpointsProtocol=https;AccountName=…;AccountKey=…;EndpointSuffix=core.windows.net.',
            status: 2,
        });
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
