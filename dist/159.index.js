export const id = 159;
export const ids = [159];
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

/***/ 12159:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {

// ESM COMPAT FLAG
__webpack_require__.r(__webpack_exports__);

// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  WebdavStore: () => (/* binding */ WebdavStore)
});

// EXTERNAL MODULE: external "node:crypto"
var external_node_crypto_ = __webpack_require__(77598);
// EXTERNAL MODULE: ./compiled/error.js
var compiled_error = __webpack_require__(98276);
// EXTERNAL MODULE: ./compiled/marks.js
var marks = __webpack_require__(44816);
// EXTERNAL MODULE: ./compiled/net/http.js
var http = __webpack_require__(30196);
// EXTERNAL MODULE: ./compiled/stores/attempts.js + 1 modules
var attempts = __webpack_require__(68469);
// EXTERNAL MODULE: ./compiled/net/retry.js
var retry = __webpack_require__(66748);
// EXTERNAL MODULE: ./compiled/stores/store.js
var store = __webpack_require__(19288);
// EXTERNAL MODULE: ./compiled/stores/walk.js
var walk = __webpack_require__(42416);
// EXTERNAL MODULE: ../../node_modules/fast-xml-parser/src/xmlparser/XMLParser.js + 23 modules
var XMLParser = __webpack_require__(82019);
// EXTERNAL MODULE: ../../node_modules/zod/v4/classic/schemas.js + 10 modules
var schemas = __webpack_require__(34410);
// EXTERNAL MODULE: ../../node_modules/zod/v4/core/errors.js
var errors = __webpack_require__(77232);
;// CONCATENATED MODULE: ./compiled/stores/webdav/multistatus.js




const WANTED = ['resourcetype', 'getcontentlength', 'getlastmodified'];
const VERSION_PROPERTIES = ['getetag'];
const QUOTA = ['quota-available-bytes'];
function propfindBody(properties) {
    const elements = properties.map((name) => `<${name}/>`).join('');
    return `<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop>${elements}</prop></propfind>`;
}
// Entities stay as they are, but for the quotes of an ETag: no name, size or time of ours has one.
const parser = new XMLParser/* default */.A({
    removeNSPrefix: true,
    ignoreAttributes: true,
    parseTagValue: false,
    processEntities: false,
    isArray: (name) => name === 'response' || name === 'propstat',
});
const multistatus_text = schemas/* union */.KCZ([schemas/* string */.YjP(), schemas/* number */.aig()]).transform(String);
const properties = schemas/* looseObject */._H3({
    resourcetype: schemas/* unknown */.L5J().optional(),
    getcontentlength: multistatus_text.optional(),
    getlastmodified: multistatus_text.optional(),
    getetag: multistatus_text.optional(),
    'quota-available-bytes': multistatus_text.optional(),
});
const response = schemas/* looseObject */._H3({
    href: multistatus_text,
    status: multistatus_text.optional(),
    propstat: schemas/* array */.YOg(schemas/* looseObject */._H3({ status: multistatus_text.optional(), prop: schemas/* union */.KCZ([schemas/* literal */.euz(''), properties]) })).default([]),
});
const answer = schemas/* object */.Ikc({
    multistatus: schemas/* union */.KCZ([
        schemas/* literal */.euz('').transform(() => ({ response: [] })),
        schemas/* looseObject */._H3({ response: schemas/* array */.YOg(response).default([]) }),
    ]),
});
const END = /<\/(?:[\w.-]+:)?multistatus\s*>\s*$|<(?:[\w.-]+:)?multistatus\b[^<>]*\/>\s*$/;
/**
 * Reads the body of a 207 (RFC 4918, section 14.16) to a PROPFIND on `self`. Throws when it is none, and a `Transient` when it breaks off
 * or tells of trouble.
 */
function readMultistatus(body, self) {
    return responsesIn(body.toString('utf8'), self.host).flatMap((response) => resourceIn(response, self) ?? []);
}
function responsesIn(xml, host) {
    // rclone's server, when its remote fails in the middle, closes the list and writes the error after it.
    if (/multistatus/.test(xml) && !END.test(xml))
        throw new retry/* Transient */.Rc(`${host} broke off in the middle of a list`);
    let parsed;
    try {
        parsed = answer.safeParse(parser.parse(xml));
    }
    catch (cause) {
        throw new compiled_error/* LifeboatError */.H3(`${host} answered with XML that cannot be read`, { cause });
    }
    if (parsed.success)
        return parsed.data.multistatus.response;
    throw new compiled_error/* LifeboatError */.H3(`${host} answered with XML that is no list of a folder: ${errors/* prettifyError */.S1(parsed.error)}`);
}
/** Undefined for a resource that is not there. */
function resourceIn({ href, status, propstat }, self) {
    const path = pathOf(href, self);
    if (path === undefined)
        return undefined;
    // A resource that the server cannot describe just now exists all the same: left out, it would seem to be gone.
    if (isTrouble(status) || propstat.some(({ status, prop }) => isTrouble(status) && prop !== '' && 'resourcetype' in prop)) {
        throw new retry/* Transient */.Rc(`${self.host} has trouble with a part of a list`);
    }
    if (!isGood(status))
        return undefined;
    const good = propstat.flatMap(({ status, prop }) => (prop !== '' && isGood(status) ? [prop] : []));
    if (good.length === 0 && propstat.length > 0)
        return undefined;
    const found = good.reduce((all, prop) => ({ ...all, ...prop }), {});
    const { resourcetype } = found;
    return {
        name: path === pathOf(self.href, self) ? '' : path.slice(path.lastIndexOf('/') + 1),
        collection: typeof resourcetype === 'object' && resourcetype !== null && 'collection' in resourcetype,
        size: Number(found.getcontentlength ?? 0),
        modified: new Date(found.getlastmodified ?? 0),
        etag: found.getetag?.replaceAll('&quot;', '"').replaceAll('&#34;', '"'),
        available: numberOr(found['quota-available-bytes']),
    };
}
/** A status that is not given is good. */
const isGood = (status) => status === undefined || / 2\d\d\b/.test(status);
const isTrouble = (status = '') => / 5\d\d\b/.test(status);
/** Decoded and without a slash at its end, so that every way of writing it is one; undefined for what cannot be decoded. */
function pathOf(href, self) {
    const url = URL.parse(href, self.href);
    try {
        return url ? decodeURIComponent(url.pathname).replace(/\/+$/, '') : undefined;
    }
    catch {
        // A URIError: bytes of another encoding, in a name that is not ours.
        return undefined;
    }
}
function numberOr(text) {
    return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

;// CONCATENATED MODULE: ./compiled/stores/webdav/store.js









/** Objects that are ever replaced by other content are smaller; larger ones are spared a second request. */
const SMALL = 512 * 1024;
/** Objects that are never replaced by other content (docs/format.md, section 1). */
const NEVER_REPLACED = /^(?:snapshots|proofs|chunks|trash)\//;
const LARGEST_LISTING = 256 * 1024 * 1024;
/** RFC 4918, section 11.5: the server is full, and will be the next time. */
const INSUFFICIENT_STORAGE = 507;
/** For a folder that is not there RFC 4918 wants 409; for a put, nginx has 500, and for a move, mod_dav has 500 and rclone 403. */
const NO_FOLDER = [403, 404, 409, 500];
/** A 500 to one of these is looked at here. */
const WRITING = ['PUT', 'MKCOL', 'MOVE'];
/**
 * A store in a folder of a WebDAV server (RFC 4918), laid out like one on a disk. Many servers write a PUT in place, so an object is
 * put under a temporary name and moved.
 */
class WebdavStore {
    name;
    #options;
    #base;
    #attempts;
    /** Folders that something was put into: a 500 from there has another reason than that they are missing. */
    #folders = new Set();
    /** Names of temporary files of puts that failed, and that may be there. */
    #left = new Set();
    /** Or has tried to. */
    #wrote = false;
    /** It has answered as WebDAV servers do. */
    #spoken = false;
    constructor(options) {
        this.#options = options;
        this.#base = new URL(options.base);
        this.#attempts = new attempts/* Attempts */.Z(options);
        this.name = options.text;
    }
    put(key, bytes) {
        const target = this.#url(key);
        return this.#attempt(`write ${key} to ${this.name}`, async (silence) => {
            const name = (0,external_node_crypto_.randomUUID)();
            const temporary = this.#url(`${walk/* INCOMING */.BG}/${name}`);
            this.#wrote = true;
            let uploaded = false;
            try {
                await this.#withFolder(temporary, silence, () => this.#ask('PUT', temporary, silence, { body: bytes, headers: { 'content-type': 'application/octet-stream' } }));
                uploaded = true;
                const moved = await this.#withFolder(target, silence, () => this.#ask('MOVE', temporary, silence, { headers: { destination: target.href, overwrite: 'T' } }));
                // RFC 4918, section 9.9.4. A page that asks for a login in some network's name has 200.
                if (moved.status !== 201 && moved.status !== 204)
                    throw this.#refused(moved, target);
            }
            catch (error) {
                this.#left.add(name);
                const refused = error instanceof retry/* Transient */.Rc ? error.cause : error;
                if (!(refused instanceof Refused))
                    throw error;
                await this.#discard(temporary, silence);
                // Two moves to one place get into each other's way on some servers.
                if (error instanceof Refused && uploaded && NO_FOLDER.includes(error.answered)) {
                    throw new retry/* Transient */.Rc(error.message, { hint: error.hint, cause: error });
                }
                throw error;
            }
            // If they stayed, a line that keeps failing would fill the server.
            if (this.#left.size > 0)
                await this.#sweepIfPossible(silence);
        }, { upload: true });
    }
    get(key, most) {
        const url = this.#url(key);
        return this.#attempt(`read ${key} from ${this.name}`, async (silence) => {
            const answer = await this.#ask('GET', url, silence, { maximum: most }).catch(async (error) => {
                if (!(error instanceof http/* TooLong */.VL))
                    throw error;
                // A page for people may be in its place.
                await this.#describe(key, silence);
                throw (0,store/* tooLarge */.g$)(most, key, this.name);
            });
            // A page that shows a folder, or a redirect to it. rclone's server answers 404 also when its remote fails, but
            // not to a question for a description.
            const page = answer.status === 200 && answer.headers.get('content-type')?.startsWith('text/html');
            if (page || [301, 302, 307, 308, 403, 404, 405].includes(answer.status))
                await this.#describe(key, silence);
            if (answer.status === 404)
                throw new retry/* Transient */.Rc(`${url.host} lists ${key}, and does not give it (status 404)`);
            if (await this.#isNothing(answer, url, silence))
                throw new store/* NotFound */.Mk(key, this.name);
            if (answer.status !== 200)
                throw this.#refused(answer, url);
            const length = answer.headers.get('content-length');
            if (length !== null && !answer.headers.has('content-encoding') && Number(length) !== answer.body.length) {
                throw new retry/* Transient */.Rc(`${url.host} sent ${answer.body.length} of ${length} bytes`);
            }
            if (answer.body.length <= SMALL && !NEVER_REPLACED.test(key))
                await this.#confirm(key, answer, silence);
            return answer.body;
        });
    }
    head(key) {
        return this.#attempt(`read ${key} from ${this.name}`, (silence) => this.#describe(key, silence));
    }
    list(prefix) {
        return (0,walk/* walk */.GG)(prefix, (folder) => this.#attempt(`list ${this.name}`, (silence) => this.#readFolder(folder, silence)));
    }
    delete(key) {
        const url = this.#url(key);
        return this.#attempt(`delete ${key} from ${this.name}`, async (silence) => {
            const answer = await this.#ask('DELETE', url, silence);
            if (!store_isGood(answer) && !(await this.#isNothing(answer, url, silence)))
                throw this.#refused(answer, url);
        });
    }
    /** Bytes that the server says may still be stored; undefined when it does not tell. */
    free() {
        return this.#attempt(`ask ${this.name} for its free space`, async (silence) => {
            const resources = await this.#propfind(this.#base, '0', silence, QUOTA);
            return resources?.[0]?.available;
        });
    }
    sweep() {
        return this.#attempt(`clean up ${this.name}`, (silence) => this.#sweep(silence));
    }
    /** After a run that wrote, removes what uploads left behind. */
    async close() {
        const { signal, timeout, silence = timeout / 5 } = this.#options;
        if (this.#wrote && !signal.aborted)
            await this.#sweepIfPossible(silence);
    }
    /** A failure is ignored: the objects are stored, and the next run that writes cleans up. */
    async #sweepIfPossible(silence) {
        try {
            await this.#sweep(silence);
        }
        catch (error) {
            if (!(error instanceof compiled_error/* LifeboatError */.H3) && error !== this.#options.signal.reason)
                throw error;
        }
    }
    async #sweep(silence) {
        const failed = [...this.#left];
        const { files } = (await this.#readFolder(walk/* INCOMING */.BG, silence)) ?? { files: [] };
        for (const { name, modified } of files) {
            // nginx on a full disk leaves them under a name with a number after it.
            const [upload = ''] = name.split('.');
            if (failed.includes(upload) || (0,walk/* isAbandoned */.zI)(upload, modified))
                await this.#ask('DELETE', this.#url(`${walk/* INCOMING */.BG}/${name}`), silence);
        }
        for (const name of failed)
            this.#left.delete(name);
    }
    /** Removes a temporary file after a failure, which is what the caller reports; if it stays, it is removed later. */
    async #discard(temporary, silence) {
        await this.#ask('DELETE', temporary, silence).catch((error) => {
            if (!(error instanceof compiled_error/* LifeboatError */.H3))
                throw error;
        });
    }
    /** Apache and rclone send as many bytes as the old object had out of the new one when it is replaced just then. */
    async #confirm(key, { headers, body }, silence) {
        const read = headers.get('etag');
        if (read === null)
            return;
        const [now] = (await this.#propfind(this.#url(key), '0', silence, [...WANTED, ...VERSION_PROPERTIES])) ?? [];
        if (now && (now.etag === undefined || now.etag === read))
            return;
        // Some servers have two ETags for one version; then nothing has changed lately.
        const rested = Date.parse(headers.get('date') ?? '') - (now?.modified.getTime() ?? 0);
        if (now?.size === body.length && rested > 5000)
            return;
        throw new retry/* Transient */.Rc(`${key} was replaced while it was read`);
    }
    async #describe(key, silence) {
        const [resource] = (await this.#propfind(this.#url(key), '0', silence, WANTED)) ?? [];
        if (!resource || resource.collection)
            throw new store/* NotFound */.Mk(key, this.name);
        return { key, size: resource.size, modified: resource.modified };
    }
    async #readFolder(folder, silence) {
        const resources = await this.#propfind(folder === '' ? this.#base : new URL(`${this.#url(folder).href}/`), '1', silence, WANTED);
        if (resources?.some(({ name, collection }) => name === '' && !collection))
            return undefined;
        const inside = resources?.filter(({ name }) => name !== '');
        return (inside && {
            folders: inside.filter(({ collection }) => collection).map(({ name }) => name),
            files: inside.filter(({ collection }) => !collection),
        });
    }
    /** Undefined when there is nothing there. */
    async #propfind(url, depth, silence, properties) {
        const answer = await this.#ask('PROPFIND', url, silence, {
            headers: { depth, 'content-type': 'application/xml; charset=utf-8' },
            body: propfindBody(properties),
            maximum: LARGEST_LISTING,
        });
        if (await this.#isNothing(answer, url, silence))
            return undefined;
        if (answer.status !== 207)
            throw this.#refused(answer, url);
        const resources = readMultistatus(answer.body, url);
        this.#spoken = true;
        return resources;
    }
    /**
     * Whether an answer says that there is nothing at `url`. For a path that leads through a file mod_dav has 400, lighttpd 403 and nginx
     * 409, which other trouble has as well.
     */
    async #isNothing({ status }, url, silence) {
        if (![400, 403, 409].includes(status) || url.pathname === '/')
            return status === 404 || status === 410;
        const above = await this.#propfind(new URL(url.pathname.endsWith('/') ? url.href.replace(/\/+$/, '') : '.', url), '0', silence, WANTED);
        return !above?.[0]?.collection;
    }
    /** Folders are made when they turn out to be missing, so that those which are there cost nothing. */
    async #withFolder(url, silence, work) {
        const folder = new URL('.', url);
        let answer = await work();
        if (NO_FOLDER.includes(answer.status) && !(answer.status === 500 && this.#folders.has(folder.href))) {
            await this.#makeFolder(folder, silence).catch((error) => {
                throw answer.status === 403 && error instanceof Refused ? this.#refused(answer, url) : error;
            });
            // Also where the folder was there: another put may have made it meanwhile.
            answer = await work();
        }
        if (!store_isGood(answer))
            throw this.#refused(answer, url);
        this.#folders.add(folder.href);
        return answer;
    }
    /** Makes a folder and what is missing above it, unless it is there. */
    async #makeFolder(folder, silence) {
        let answer = await this.#ask('MKCOL', folder, silence);
        const above = new URL('..', folder);
        if ((answer.status === 409 || answer.status === 404) && above.pathname !== folder.pathname) {
            await this.#makeFolder(above, silence);
            answer = await this.#ask('MKCOL', folder, silence);
        }
        if (store_isGood(answer))
            return;
        const [there] = (await this.#propfind(folder, '0', silence, WANTED)) ?? [];
        if (!there?.collection)
            throw this.#refused(answer, folder);
    }
    async #ask(method, url, silence, given = {}) {
        const { signal, user, password, token } = this.#options;
        const authorization = user !== undefined
            ? `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
            : token !== undefined
                ? `Bearer ${token}`
                : undefined;
        const { headers, body, maximum = 1024 * 1024 } = given;
        const answer = {
            method,
            ...(await (0,http/* request */.Em)(url, { method, headers: { 'user-agent': 'lifeboat', ...(authorization !== undefined && { authorization }), ...headers }, body }, { signal, silence, maximum, final: [INSUFFICIENT_STORAGE, ...(WRITING.includes(method) ? [500] : [])] })),
        };
        // Some servers lock a file for as long as another request works on it.
        if (answer.status === 423) {
            throw new retry/* Transient */.Rc(`${url.host} says that it is locked (status 423)`, {
                hint: 'Another program holds a lock on it; end that, or wait until the lock expires.',
            });
        }
        if (answer.status === 401 || answer.status === INSUFFICIENT_STORAGE)
            throw new Refused(answer, url);
        return answer;
    }
    /**
     * rclone's server has 405 for trouble with its remote; from one that has never spoken WebDAV it means that it does not, and to a PUT or a
     * MKCOL that it takes none.
     */
    #refused(answer, url) {
        const { status, method } = answer;
        const refused = new Refused(answer, url);
        const passing = this.#options.vague || status === 500 || (status === 405 && this.#spoken && method !== 'PUT' && method !== 'MKCOL');
        return passing ? new retry/* Transient */.Rc(refused.message, { cause: refused, hint: refused.hint }) : refused;
    }
    async #attempt(what, work, { upload = false } = {}) {
        const { silence, signal } = this.#options;
        try {
            return await this.#attempts.try(what, (limit, left) => work(silence === undefined ? limit : Math.min(silence, left)), { upload });
        }
        catch (error) {
            signal.throwIfAborted();
            if (error instanceof Refused)
                throw new compiled_error/* LifeboatError */.H3(`cannot ${what}: ${error.message}`, { cause: error, hint: error.hint });
            throw error;
        }
    }
    /** Every character of a key may stand in a URL as it is. */
    #url(key) {
        return new URL((0,store/* checkKey */.yR)(key), this.#base);
    }
}
const store_isGood = ({ status }) => status >= 200 && status < 300 && status !== 207;
const HINTS = {
    401: (0,marks/* marked */.xI) `Check user and password in the URL, or ‹webdav-token›. Special characters in the URL are percent-encoded; many services ` +
        'want a password made for programs (an app password).',
    403: 'Give the user the right to read and write in the folder.',
    404: 'Check the path of the destination: for Nextcloud it begins with /remote.php/dav/files/USER/.',
    405: 'Check the path of the destination: at this address the server does not speak WebDAV.',
    409: 'Check that no file is where a folder should be.',
    412: 'The server does not replace files by moving others there; choose another destination.',
    501: 'At this address the server does not speak WebDAV.',
    507: 'The server or a quota is full. Free some space or choose another destination; the backups already there are whole.',
};
/** Where it was to store something. */
const WRITING_HINTS = {
    405: 'Check the path of the destination: at this address the server does not speak WebDAV, or allows no uploads (nginx: dav_methods PUT ' +
        'DELETE MKCOL MOVE). Some servers, those written in Go, answer so when their disk or a quota is full.',
    413: 'The server takes no uploads of this size: raise its limit (nginx: client_max_body_size 0; Apache: LimitRequestBody 0).',
    500: 'Often the disk of the server or a quota is full, or its user may not write there: its error log says which. The backups already ' +
        'there are whole.',
};
/** An answer that will be the same the next time. */
class Refused extends compiled_error/* LifeboatError */.H3 {
    answered;
    constructor({ status, headers, method }, url) {
        const location = headers.get('location');
        // The path of a redirect may hold a secret.
        const place = location === null ? undefined : URL.parse(location, url.href);
        const scheme = headers.get('www-authenticate')?.split(' ')[0];
        const saying = status < 300
            ? `gives an answer that is not WebDAV (status ${status})`
            : status === 401 && scheme !== undefined
                ? `wants another sign-in (status 401, ${scheme})`
                : `refuses (status ${status})`;
        if (place && status >= 300 && status < 400) {
            super(`${url.host} redirects to ${place.origin} (status ${status})`, {
                hint: 'Redirects are not followed, for the password would go along. If it is right, give ' +
                    `${place.protocol === 'https:' ? 'webdavs' : 'webdav'}://${place.host} and the path there as the destination.`,
            });
        }
        else {
            super(`${url.host} ${saying}`, { hint: (WRITING.includes(method) ? WRITING_HINTS[status] : undefined) ?? HINTS[status] ?? http/* AGAIN */.jM });
        }
        this.answered = status;
    }
}


/***/ })

};
