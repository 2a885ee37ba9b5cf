export const id = 373;
export const ids = [373];
export const modules = {

/***/ 69754:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {

// ESM COMPAT FLAG
__webpack_require__.r(__webpack_exports__);

// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  S3Store: () => (/* binding */ S3Store),
  openS3: () => (/* binding */ openS3)
});

// EXTERNAL MODULE: external "node:crypto"
var external_node_crypto_ = __webpack_require__(77598);
// EXTERNAL MODULE: ../../node_modules/@aws-sdk/client-s3/dist-cjs/index.js
var dist_cjs = __webpack_require__(28299);
// EXTERNAL MODULE: ./compiled/error.js
var error = __webpack_require__(98276);
// EXTERNAL MODULE: ./compiled/net/http.js
var http = __webpack_require__(30196);
// EXTERNAL MODULE: ./compiled/net/retry.js
var retry = __webpack_require__(66748);
// EXTERNAL MODULE: ./compiled/stores/s3/errors.js
var errors = __webpack_require__(16601);
;// CONCATENATED MODULE: ./compiled/stores/s3/lanes.js
const AT_ONCE = 8;
const DIGITS = Array.from({ length: 16 }, (_, digit) => digit.toString(16));
/**
 * Everything with a prefix, out of a service that gives it page by page, each key once and in the order of its bytes. One page after the
 * other takes minutes for a million chunks; their ids being evenly distributed, where there is more than one page they are listed by first
 * digit, several at the same time.
 */
async function* inLanes(prefix, page) {
    const first = await page({ after: undefined, token: undefined });
    yield* first.objects;
    if (first.next === undefined)
        return;
    const last = first.objects.at(-1)?.key;
    const bounds = prefix === 'chunks/' && last !== undefined ? DIGITS.map((digit) => prefix + digit).filter((bound) => bound > last) : [];
    const lanes = [undefined, ...bounds].map((after, index) => pagesOf(page, { after, token: after === undefined ? first.next : undefined }, bounds[index]));
    yield* together(lanes);
}
/** The pages of one lane, up to and with the key `end`. */
async function* pagesOf(page, start, end) {
    for (let lane = start; lane;) {
        const { objects, next } = await page(lane);
        yield end === undefined ? objects : objects.filter(({ key }) => key <= end);
        const beyond = end !== undefined && (objects.at(-1)?.key ?? '') > end;
        lane = next === undefined || beyond ? undefined : { after: undefined, token: next };
    }
}
/** Yields from several generators, as objects come, from a few of them at the same time. */
async function* together(lanes) {
    const waiting = [...lanes];
    const running = new Map();
    const advance = (lane) => void running.set(lane, lane.next().then((result) => ({ lane, result })));
    try {
        for (;;) {
            while (running.size < AT_ONCE && waiting.length > 0)
                advance(waiting.shift());
            if (running.size === 0)
                return;
            const { lane, result } = await Promise.race(running.values());
            if (result.done)
                running.delete(lane);
            else {
                advance(lane);
                yield* result.value;
            }
        }
    }
    finally {
        // Those under way end with their page, whose failure nobody waits for any more.
        await Promise.allSettled(running.values());
    }
}

// EXTERNAL MODULE: ./compiled/stores/s3/session.js + 3 modules
var session = __webpack_require__(64754);
// EXTERNAL MODULE: ./compiled/stores/store.js
var store = __webpack_require__(19288);
;// CONCATENATED MODULE: ./compiled/stores/s3/store.js









/**
 * A store in a bucket of Amazon S3 or of a service that speaks its protocol. Each object is one put, so that it is there as a whole or not.
 */
class S3Store {
    name;
    #destination;
    #session;
    /** Buckets with object lock take no put without it; to others it would be work for nothing, as the signature covers the bytes. */
    #md5 = false;
    /** Services that encrypt may have something else there. */
    #etagIsMd5 = true;
    constructor(destination, session) {
        this.name = session.name;
        this.#destination = destination;
        this.#session = session;
    }
    async put(key, bytes) {
        const { storageClass, encryption: ServerSideEncryption, kmsKey: SSEKMSKeyId } = this.#destination;
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- services have classes that the SDK does not know
        const StorageClass = storageClass;
        await this.#session.try('put', key, async (requestTimeout) => {
            const ContentMD5 = this.#md5 ? (0,external_node_crypto_.createHash)('md5').update(bytes).digest('base64') : undefined;
            try {
                const command = new dist_cjs/* PutObjectCommand */.wKZ({
                    ...this.#at(key),
                    Body: bytes,
                    ContentLength: bytes.length,
                    ContentMD5,
                    StorageClass,
                    ServerSideEncryption,
                    SSEKMSKeyId,
                });
                const { ETag } = await this.#session.client.send(command, { requestTimeout });
                if (!ETag)
                    throw new retry/* Transient */.Rc('the answer is not that of an S3 service');
            }
            catch (error) {
                if (this.#md5 || !(0,errors/* wantsMd5 */.e2)(error))
                    throw error;
                this.#md5 = true;
                throw new retry/* Transient */.Rc('the bucket wants checksums', { cause: error });
            }
        });
    }
    async get(key, most) {
        let unexpected;
        return this.#session.try('get', key, async (requestTimeout) => {
            const { bytes, etag } = await this.#fetch(key, most, requestTimeout).catch((error) => {
                throw error instanceof http/* TooLong */.VL ? (0,store/* tooLarge */.g$)(most, key, this.name) : error;
            });
            const expected = /^"?([0-9a-f]{32})"?$/.exec(etag ?? '')?.[1];
            if (etag === undefined)
                throw new retry/* Transient */.Rc('the answer is not that of an S3 service');
            if (!this.#etagIsMd5 || expected === undefined)
                return bytes;
            const md5 = (0,external_node_crypto_.createHash)('md5').update(bytes).digest('hex');
            if (md5 === expected)
                return bytes;
            if (md5 !== unexpected) {
                unexpected = md5;
                throw new retry/* Transient */.Rc('its bytes are not those of its checksum');
            }
            // Twice the same: an ETag that is no checksum. The code that sealed an object checks it as well.
            this.#etagIsMd5 = false;
            return bytes;
        });
    }
    async #fetch(key, maximum, requestTimeout) {
        const { Bucket, Key } = this.#at(key);
        const limits = { requestTimeout, maximum };
        const answer = await this.#session.direct.ask('GET', Key, limits);
        if (answer)
            return { bytes: answer.body, etag: answer.headers.get('etag') ?? undefined };
        const { Body, ETag: etag } = await this.#session.client.send(new dist_cjs/* GetObjectCommand */.jLs({ Bucket, Key }), limits);
        const { buffer, byteOffset, length } = (await Body?.transformToByteArray()) ?? new Uint8Array();
        return { bytes: Buffer.from(buffer, byteOffset, length), etag };
    }
    async head(key) {
        return this.#session.try('head', key, async (requestTimeout) => {
            const answer = await this.#session.direct.ask('HEAD', this.#at(key).Key, { requestTimeout });
            const [length, changed] = [
                Number(answer?.headers.get('content-length') ?? NaN),
                Date.parse(answer?.headers.get('last-modified') ?? ''),
            ];
            if (!Number.isNaN(length) && !Number.isNaN(changed))
                return { key, size: length, modified: new Date(changed) };
            const { ContentLength: size, LastModified: modified } = await this.#session.client.send(new dist_cjs/* HeadObjectCommand */.l81(this.#at(key)), {
                requestTimeout,
            });
            if (size === undefined || modified === undefined)
                throw new retry/* Transient */.Rc('the answer is not that of an S3 service');
            return { key, size, modified };
        });
    }
    list(prefix) {
        return inLanes(prefix, (lane) => this.#page(prefix, lane.after, lane.token));
    }
    async #page(prefix, after, token) {
        const { bucket: Bucket, prefix: own } = this.#destination;
        return this.#session.try('list', '', async (requestTimeout) => {
            const command = new dist_cjs/* ListObjectsV2Command */.u6x({
                Bucket,
                Prefix: own + prefix,
                StartAfter: after === undefined ? undefined : own + after,
                ContinuationToken: token,
            });
            const { Contents = [], IsTruncated, NextContinuationToken: next } = await this.#session.client.send(command, { requestTimeout });
            // Another server that answers with status 200, a login page for instance, would read as an empty store.
            if (IsTruncated === undefined)
                throw new retry/* Transient */.Rc('the answer is not that of an S3 service');
            if (IsTruncated && (!next || next === token)) {
                throw new error/* LifeboatError */.H3(`${this.name} does not say how its listing goes on`, {
                    hint: 'The service lacks ListObjectsV2, which is needed.',
                });
            }
            const objects = Contents.flatMap(({ Key = '', Size: size = 0, LastModified: modified = new Date(0) }) => Key.startsWith(own) && (0,store/* isKey */.m0)(Key.slice(own.length)) ? [{ key: Key.slice(own.length), size, modified }] : []);
            return { objects, next: IsTruncated ? next : undefined };
        });
    }
    async delete(key) {
        await this.#session.try('delete', key, async (requestTimeout) => {
            try {
                await this.#session.client.send(new dist_cjs/* DeleteObjectCommand */.k4j(this.#at(key)), { requestTimeout });
            }
            catch (error) {
                if (!(0,errors/* isAbsent */.W0)(error, 'delete'))
                    throw error;
            }
        });
    }
    async close() {
        this.#session.client.destroy();
    }
    #at(key) {
        return { Bucket: this.#destination.bucket, Key: this.#destination.prefix + (0,store/* checkKey */.yR)(key) };
    }
}
/** Nothing is asked of the service yet. */
function openS3(destination, options) {
    return new S3Store(destination, (0,session/* openSession */.f)(destination, options));
}


/***/ })

};
