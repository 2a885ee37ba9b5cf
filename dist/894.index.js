export const id = 894;
export const ids = [894];
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

/***/ 68894:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {


// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  SftpStore: () => (/* binding */ SftpStore)
});

// EXTERNAL MODULE: external "node:crypto"
var external_node_crypto_ = __webpack_require__(77598);
// EXTERNAL MODULE: external "node:timers/promises"
var promises_ = __webpack_require__(58500);
// EXTERNAL MODULE: ./compiled/error.js
var compiled_error = __webpack_require__(98276);
// EXTERNAL MODULE: ./compiled/stores/attempts.js + 1 modules
var attempts = __webpack_require__(68469);
// EXTERNAL MODULE: ./compiled/process/parallel.js
var parallel = __webpack_require__(57497);
// EXTERNAL MODULE: ./compiled/net/retry.js
var retry = __webpack_require__(66748);
// EXTERNAL MODULE: ./compiled/net/ssh/connection.js
var connection = __webpack_require__(92039);
;// CONCATENATED MODULE: ./compiled/stores/sftp/session.js



/** Most pieces of objects that are under way on a connection: as many bytes as OpenSSH takes before it answers the first (2 MiB). */
const AT_ONCE = 64;
const AT_FIRST = 8;
const LEAST_AT_ONCE = 4;
/**
 * Milliseconds that a piece may take longer than the fastest did: so long every other request waits behind the pieces that were sent before
 * it.
 */
const QUEUE = 250;
/** One connection to an SFTP server, for many requests at the same time. It ends for good when the connection does, or stands still. */
class SftpSession {
    #client;
    #sftp;
    #where;
    #options;
    #waiting = new Set();
    /** Pieces that wait to be sent, first come first: rclone's server takes them in no other order. */
    #turns = [];
    #pieces = 0;
    #mostPieces = AT_FIRST;
    /** Milliseconds. */
    #fastest = Infinity;
    #ended;
    #stall;
    constructor(client, sftp, where, options) {
        this.#client = client;
        this.#sftp = sftp;
        this.#where = where;
        this.#options = options;
        client.on('error', (error) => this.#end(new retry/* Transient */.Rc(`the connection to ${where} was lost: ${error.message}`, { cause: error })));
        client.on('close', () => this.#end(new retry/* Transient */.Rc(`${where} closed the connection`)));
        // It comes before `close`, which waits until all that is still to be sent has gone; over a slow line that takes minutes.
        client.on('end', () => this.#end(new retry/* Transient */.Rc(`${where} closed the connection`)));
        // The server ended the subsystem and kept the connection.
        sftp.on('close', () => this.#end(new retry/* Transient */.Rc(`${where} ended the SFTP session`)));
        sftp.on('error', (error) => this.#end(new retry/* Transient */.Rc(`the SFTP session with ${where} broke off: ${error.message}`, { cause: error })));
        options.signal.addEventListener('abort', this.#abort, { once: true });
    }
    /** `limit` is also how many milliseconds may pass without an answer while there are requests. */
    static async open(target, access, options) {
        const client = await (0,connection/* connectSsh */.LZ)(target, access, options);
        const where = `${target.host}:${target.port}`;
        return new Promise((resolve, reject) => {
            const late = setTimeout(() => fail(new retry/* Transient */.Rc(`${where} has not answered for ${Math.round(options.limit / 100) / 10} s`)), options.limit);
            const settle = () => {
                clearTimeout(late);
                options.signal.removeEventListener('abort', abort);
            };
            const fail = (error) => {
                settle();
                client.destroy();
                reject(error);
            };
            const abort = () => fail(options.signal.reason);
            options.signal.addEventListener('abort', abort, { once: true });
            client.on('close', () => fail(new retry/* Transient */.Rc(`${where} closed the connection`)));
            client.sftp((error, sftp) => {
                settle();
                if (error) {
                    fail(new compiled_error/* LifeboatError */.H3(`${where} offers no SFTP: ${(0,compiled_error/* messageOf */.bD)(error)}`, {
                        cause: error,
                        hint: 'Its sshd needs `Subsystem sftp`; and the user the right to use it.',
                    }));
                }
                else {
                    resolve(new SftpSession(client, sftp, where, options));
                }
            });
        });
    }
    get ended() {
        return this.#ended !== undefined;
    }
    /** One request. Rejects with the server's error, which has a `code` (see `status`), or as `Transient` when the connection ended. */
    request(start) {
        return new Promise((resolve, reject) => {
            if (this.#ended !== undefined) {
                reject(this.#ended);
                return;
            }
            this.#waiting.add(reject);
            if (this.#waiting.size === 1)
                this.#watch();
            const answered = () => {
                this.#waiting.delete(reject);
                this.#watch();
            };
            const done = (error, value) => {
                answered();
                // ssh2 says this of every request that is under way when the connection ends; the reason comes right after.
                if (error && !('code' in error)) {
                    this.#end(new retry/* Transient */.Rc(`the connection to ${this.#where} was lost: ${error.message}`, { cause: error }));
                }
                if (error)
                    reject(this.#ended ?? error);
                else
                    resolve(value);
            };
            try {
                start(this.#sftp, done);
            }
            catch (error) {
                answered();
                reject(error);
            }
        });
    }
    /**
     * The same for a piece of an object. As many are under way as the line carries in a quarter of a second: over a slow one, each of the
     * small requests of a put would otherwise wait for megabytes. One object's pieces go before the next one's, so that a connection that
     * ends takes few objects with it.
     */
    requestInTurn(start) {
        return new Promise((resolve, reject) => {
            this.#turns.push(() => {
                const began = performance.now();
                const answered = () => this.#adapt(performance.now() - began);
                this.request(start).finally(answered).then(resolve, reject);
            });
            this.#sendPieces();
        });
    }
    #sendPieces() {
        for (; this.#turns.length > 0 && this.#pieces < this.#mostPieces; this.#pieces++)
            this.#turns.shift()();
    }
    /** `took`: milliseconds until a piece was answered. */
    #adapt(took) {
        this.#fastest = Math.min(this.#fastest, took);
        this.#mostPieces =
            took - this.#fastest > QUEUE ? Math.max(LEAST_AT_ONCE, this.#mostPieces - 1) : Math.min(AT_ONCE, this.#mostPieces + 1);
        this.#pieces--;
        this.#sendPieces();
    }
    /** The same for a request of an extension: undefined when the server does not have it. */
    async extension(start) {
        try {
            return { value: await this.request(start) };
        }
        catch (error) {
            // ssh2 throws this when the server has not announced the extension.
            const unknown = error instanceof Error && error.message === 'Server does not support this extended request';
            if (unknown || session_status(error) === UNSUPPORTED)
                return undefined;
            throw error;
        }
    }
    close() {
        this.#end(new compiled_error/* LifeboatError */.H3(`the connection to ${this.#where} is closed`));
    }
    #abort = () => this.#end(this.#options.signal.reason);
    /** The time begins again with every answer, and runs only while one is due. */
    #watch() {
        clearTimeout(this.#stall);
        if (this.#waiting.size === 0 || this.ended)
            return;
        const { limit } = this.#options;
        this.#stall = setTimeout(() => this.#end(new retry/* Transient */.Rc(`${this.#where} has not answered for ${Math.round(limit / 100) / 10} s`)), limit);
    }
    #end(reason) {
        if (this.#ended !== undefined)
            return;
        this.#ended = reason;
        clearTimeout(this.#stall);
        this.#options.signal.removeEventListener('abort', this.#abort);
        for (const reject of this.#waiting)
            reject(reason);
        this.#waiting.clear();
        this.#client.destroy();
    }
}
const NO_SUCH_FILE = 2;
const PERMISSION_DENIED = 3;
const FAILURE = 4;
const UNSUPPORTED = 8;
/**
 * The status code of an SFTP server's answer (draft-ietf-secsh-filexfer-02, section 7); undefined for any other error. rclone has FAILURE
 * for some files that are not there, and proftpd for paths that lead through a file: then the text tells.
 */
function session_status(error) {
    if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'number')
        return undefined;
    return error.code === FAILURE && /no such file or directory$|^not a directory$/i.test(error.message) ? NO_SUCH_FILE : error.code;
}

// EXTERNAL MODULE: ./compiled/stores/store.js
var stores_store = __webpack_require__(19288);
// EXTERNAL MODULE: ./compiled/stores/walk.js
var walk = __webpack_require__(42416);
;// CONCATENATED MODULE: ./compiled/stores/sftp/store.js









/**
 * Bytes of one request: less than what ssh2 would split (31,952), since it sends the rest of a piece only when the first part is done, and
 * rclone waits for bytes in their order.
 */
const PIECE = 30_000;
/**
 * A store in a folder of an SFTP server, laid out like one on a disk. A put writes a temporary file, syncs it where the server can
 * (fsync@openssh.com), and renames it into place.
 */
class SftpStore {
    name;
    #options;
    #attempts;
    #session;
    /** Temporary files of puts that failed, as far as they were not removed at once. */
    #left = new Set();
    /** Or has tried to. */
    #wrote = false;
    constructor(options) {
        this.#options = options;
        this.#attempts = new attempts/* Attempts */.Z(options);
        this.name = options.text;
    }
    put(key, bytes) {
        const target = this.#path(key);
        return this.#attempt(`write ${key} to ${this.name}`, async (session) => {
            this.#wrote = true;
            const temporary = this.#path(`${walk/* INCOMING */.BG}/${(0,external_node_crypto_.randomUUID)()}`);
            try {
                await this.#upload(session, temporary, bytes);
                await this.#moveIntoPlace(session, temporary, target);
            }
            catch (error) {
                this.#left.add(temporary);
                await this.#discardLeft(session);
                throw error;
            }
            await this.#discardLeft(session);
        }, { upload: true });
    }
    get(key, most) {
        const file = this.#path(key);
        return this.#attempt(`read ${key} from ${this.name}`, async (session) => {
            const handle = await found(key, this.name, session
                .request((sftp, done) => sftp.open(file, 'r', done))
                .catch(async (error) => {
                // proftpd refuses to open a folder, and what leads through a file.
                if (session_status(error) === PERMISSION_DENIED && !(await this.#stat(session, file).catch(notThere)))
                    return undefined;
                throw error;
            }));
            return this.#readAll(session, handle, most, key).catch((error) => {
                // rclone's server, when the object is replaced while it is read: some failure, or the file that was opened does not exist.
                throw [FAILURE, NO_SUCH_FILE].includes(session_status(error) ?? -1) ? new retry/* Transient */.Rc((0,compiled_error/* messageOf */.bD)(error), { cause: error }) : error;
            });
        });
    }
    async #readAll(session, handle, most, key) {
        try {
            const { size } = await found(key, this.name, session.request((sftp, done) => sftp.fstat(handle, done)).then(isFile));
            (0,stores_store/* checkSize */.C1)(size, most, key, this.name);
            return await readPieces(session, handle, size);
        }
        finally {
            if (!session.ended)
                await session.request((sftp, done) => sftp.close(handle, (error) => done(error, undefined)));
        }
    }
    head(key) {
        return this.#attempt(`read ${key} from ${this.name}`, async (session) => {
            const { size, mtime } = await found(key, this.name, this.#stat(session, this.#path(key)));
            return { key, size, modified: new Date(mtime * 1000) };
        });
    }
    list(prefix) {
        return (0,walk/* walk */.GG)(prefix, (folder) => this.#attempt(`list ${this.name}`, (session) => this.#readFolder(session, folder)));
    }
    delete(key) {
        return this.#attempt(`delete ${key} from ${this.name}`, (session) => remove(session, this.#path(key)));
    }
    /** Bytes that the server's disk has room for; undefined when the server does not tell. */
    free() {
        return this.#attempt(`ask ${this.name} for its free space`, async (session) => {
            const answer = await session.extension((sftp, done) => sftp.ext_openssh_statvfs(this.#path(''), done));
            return answer && answer.value.f_frsize * answer.value.f_bavail;
        });
    }
    sweep() {
        return this.#attempt(`clean up ${this.name}`, (session) => this.#sweep(session));
    }
    /** After a run that wrote, removes what uploads left behind. */
    async close() {
        // If it could not be opened, there is nothing to close, and each request has failed with the cause.
        const session = await this.#session?.catch(() => undefined);
        if (!session)
            return;
        try {
            if (this.#wrote && !session.ended)
                await this.#sweep(session);
        }
        catch (error) {
            // The objects are stored; the next run that writes cleans up.
            if (!(error instanceof compiled_error/* LifeboatError */.H3) && session_status(error) === undefined && error !== this.#options.signal.reason)
                throw error;
        }
        finally {
            session.close();
        }
    }
    async #sweep(session) {
        await this.#discardLeft(session);
        const { files } = (await this.#readFolder(session, walk/* INCOMING */.BG)) ?? { files: [] };
        for (const { name, modified } of files) {
            if ((0,walk/* isAbandoned */.zI)(name, modified))
                await remove(session, this.#path(`${walk/* INCOMING */.BG}/${name}`)).catch(unlessNotOurs);
        }
    }
    /** After a failure, which the caller reports. Files that cannot be removed now are removed with the next put, or in the end. */
    async #discardLeft(session) {
        const left = [...this.#left];
        for (const temporary of left) {
            if (session.ended)
                return;
            // Several puts may come here at the same time.
            if (!this.#left.delete(temporary))
                continue;
            try {
                await remove(session, temporary);
            }
            catch (error) {
                this.#left.add(temporary);
                if (session_status(error) === undefined && !(error instanceof retry/* Transient */.Rc))
                    throw error;
            }
        }
    }
    async #attempt(what, work, { upload = false } = {}) {
        try {
            return await this.#attempts.try(what, async (silence) => work(await this.#connected(silence)), { upload });
        }
        catch (cause) {
            this.#options.signal.throwIfAborted();
            if (session_status(cause) === undefined)
                throw cause;
            throw new compiled_error/* LifeboatError */.H3(`cannot ${what}: ${(0,compiled_error/* messageOf */.bD)(cause)}`, { cause, hint: await this.#hint(cause) });
        }
    }
    async #connected(limit) {
        const { target, access, variables, signal } = this.#options;
        const session = await this.#session?.catch(() => undefined);
        if (session && !session.ended)
            return session;
        // Of all who find it lost, the first one connects.
        if (this.#session === undefined || session) {
            const opening = SftpSession.open(target, access, { variables, signal, limit });
            this.#session = opening;
            opening.catch(() => {
                // Its callers get the error; the next one tries again.
                if (this.#session === opening)
                    this.#session = undefined;
            });
        }
        return this.#session;
    }
    async #upload(session, temporary, bytes) {
        const open = () => session.request((sftp, done) => sftp.open(temporary, 'wx', 0o600, done));
        const handle = await open().catch(async (error) => {
            if (session_status(error) !== NO_SUCH_FILE)
                throw error;
            await this.#makeFolder(session, this.#path(walk/* INCOMING */.BG));
            return open();
        });
        const close = () => session.request((sftp, done) => sftp.close(handle, (error) => done(error, undefined)));
        try {
            await writePieces(session, handle, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
            await session.extension((sftp, done) => sftp.ext_openssh_fsync(handle, (error) => done(error, undefined)));
        }
        catch (error) {
            if (!session.ended) {
                await close().catch((again) => {
                    // Why the write failed is the reason.
                    if (session_status(again) === undefined && !(again instanceof retry/* Transient */.Rc))
                        throw again;
                });
            }
            // rclone's server, when it was so busy that one piece had to wait for the one before it for more than a second.
            throw session_status(error) === FAILURE && (0,compiled_error/* messageOf */.bD)(error) === 'Illegal seek'
                ? new retry/* Transient */.Rc('its pieces came out of order', { cause: error })
                : error;
        }
        await close();
    }
    /** Folders are made when they turn out to be missing, so that those which are there cost nothing. */
    async #moveIntoPlace(session, temporary, target) {
        try {
            await this.#rename(session, temporary, target);
        }
        catch (error) {
            if (session_status(error) !== NO_SUCH_FILE)
                throw error;
            await this.#makeFolder(session, parentOf(target));
            await this.#rename(session, temporary, target).catch((again) => {
                // rclone's server, when others replace the same object at this moment.
                throw session_status(again) === NO_SUCH_FILE ? new retry/* Transient */.Rc((0,compiled_error/* messageOf */.bD)(again), { cause: again }) : again;
            });
        }
    }
    async #rename(session, from, to) {
        if (await session.extension((sftp, done) => sftp.ext_openssh_rename(from, to, (error) => done(error, undefined))))
            return;
        // The rename of the protocol itself does not replace. The old file is renamed first, so that a kill in between loses nothing,
        // and a reader sees the old object, none, or the new one.
        const aside = [];
        for (let tries = 1;; tries++) {
            try {
                await plainRename(session, from, to);
                break;
            }
            catch (error) {
                if (session_status(error) !== FAILURE || tries === 20)
                    throw error;
                // A random pause, so that runs which replace the same object do not collide with each attempt.
                if (tries > 1)
                    await (0,promises_.setTimeout)(Math.random() * 50, undefined, { signal: this.#options.signal });
                const place = this.#path(`${walk/* INCOMING */.BG}/${(0,external_node_crypto_.randomUUID)()}`);
                if (await plainRename(session, to, place).then(() => true, notThere))
                    aside.push(place);
            }
        }
        for (const place of aside)
            await remove(session, place);
    }
    /** Makes a folder and what is missing above it. */
    async #makeFolder(session, folder) {
        const make = () => session.request((sftp, done) => sftp.mkdir(folder, { mode: 0o700 }, (error) => done(error, undefined)));
        try {
            await make();
        }
        catch (error) {
            const there = await session.request((sftp, done) => sftp.stat(folder, done)).then((stats) => stats.isDirectory(), notThere);
            if (there)
                return;
            if (session_status(error) !== NO_SUCH_FILE || parentOf(folder) === folder)
                throw error;
            await this.#makeFolder(session, parentOf(folder));
            await make().catch((again) => {
                // Another one made it at the same moment.
                if (session_status(again) !== FAILURE)
                    throw again;
            });
        }
    }
    async #readFolder(session, folder) {
        let entries;
        try {
            entries = await session.request((sftp, done) => sftp.readdir(this.#path(folder), done));
        }
        catch (error) {
            if (session_status(error) === NO_SUCH_FILE)
                return undefined;
            throw error;
        }
        const files = entries.filter(({ attrs }) => attrs.isFile());
        return {
            folders: entries.filter(({ attrs }) => attrs.isDirectory()).map(({ filename }) => filename),
            files: files.map(({ filename, attrs }) => ({ name: filename, size: attrs.size, modified: new Date(attrs.mtime * 1000) })),
        };
    }
    /** Undefined for what is there, but is no file. */
    #stat(session, file) {
        return session.request((sftp, done) => sftp.stat(file, done)).then(isFile);
    }
    /** Of a key, or of the store's own folder for an empty one. */
    #path(key) {
        const { path } = this.#options;
        if (key === '')
            return path || '.';
        return `${path === '' || path.endsWith('/') ? path : `${path}/`}${(0,stores_store/* checkKey */.yR)(key)}`;
    }
    async #freeIfTold() {
        try {
            return await this.free();
        }
        catch {
            // A server that does not tell that either has no more to say than its error.
            return undefined;
        }
    }
    async #hint(error) {
        if (session_status(error) === PERMISSION_DENIED) {
            return `Give ${this.#options.target.user} the right to read and write in the store's folder on the server.`;
        }
        const free = await this.#freeIfTold();
        if (free !== undefined && free < 20_000_000) {
            return (`The server's disk is full (${free} bytes free). Free some space or choose another destination; ` +
                'the backups already there are whole.');
        }
        return 'The server says no more. Often its disk or a quota is full, or a file is where a folder should be.';
    }
}
async function writePieces(session, handle, bytes) {
    await (0,parallel/* inParallel */.H)(offsets(bytes.length), AT_ONCE, (offset) => {
        const length = Math.min(PIECE, bytes.length - offset);
        return session.requestInTurn((sftp, done) => sftp.write(handle, bytes, offset, length, offset, (error) => done(error, undefined)));
    });
}
async function readPieces(session, handle, size) {
    const bytes = Buffer.alloc(size);
    await (0,parallel/* inParallel */.H)(offsets(size), AT_ONCE, async (start) => {
        const end = Math.min(start + PIECE, size);
        // A server may answer with less than was asked for.
        for (let offset = start; offset < end;) {
            const read = await session.requestInTurn((sftp, done) => sftp.read(handle, bytes, offset, end - offset, offset, (error, count) => done(error, count)));
            if (read === 0)
                throw new retry/* Transient */.Rc(`the file ended after ${offset} of ${size} bytes`);
            offset += read;
        }
    });
    return bytes;
}
const offsets = (size) => Array.from({ length: Math.ceil(size / PIECE) }, (_, index) => index * PIECE);
const plainRename = (session, from, to) => session.request((sftp, done) => sftp.rename(from, to, (error) => done(error, undefined)));
/** A missing file is no error. */
async function remove(session, file) {
    await session.request((sftp, done) => sftp.unlink(file, (error) => done(error, undefined))).catch(notThere);
}
/** Files of another user's upload are for that user to remove. */
function unlessNotOurs(error) {
    if (session_status(error) !== PERMISSION_DENIED)
        throw error;
}
function notThere(error) {
    if (session_status(error) === NO_SUCH_FILE)
        return false;
    throw error;
}
async function found(key, store, asked) {
    const answer = await asked.catch((error) => {
        if (notThere(error))
            throw error;
        return undefined;
    });
    if (answer === undefined)
        throw new stores_store/* NotFound */.Mk(key, store);
    return answer;
}
const isFile = (stats) => (stats.isFile() ? stats : undefined);
function parentOf(path) {
    const end = path.lastIndexOf('/');
    return end > 0 ? path.slice(0, end) : end === 0 ? '/' : '.';
}


/***/ })

};
