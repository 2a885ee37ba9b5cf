export const id = 893;
export const ids = [893];
export const modules = {

/***/ 89893:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {

/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   openBucket: () => (/* binding */ openBucket)
/* harmony export */ });
/* unused harmony export BucketAccess */
/* harmony import */ var node_crypto__WEBPACK_IMPORTED_MODULE_0__ = __webpack_require__(77598);
/* harmony import */ var _aws_sdk_client_s3__WEBPACK_IMPORTED_MODULE_6__ = __webpack_require__(28299);
/* harmony import */ var _error_js__WEBPACK_IMPORTED_MODULE_1__ = __webpack_require__(98276);
/* harmony import */ var _net_retry_js__WEBPACK_IMPORTED_MODULE_2__ = __webpack_require__(66748);
/* harmony import */ var _stores_s3_session_js__WEBPACK_IMPORTED_MODULE_3__ = __webpack_require__(64754);
/* harmony import */ var _stores_store_js__WEBPACK_IMPORTED_MODULE_4__ = __webpack_require__(19288);
/* harmony import */ var _changes_js__WEBPACK_IMPORTED_MODULE_7__ = __webpack_require__(1254);
/* harmony import */ var _metadata_js__WEBPACK_IMPORTED_MODULE_5__ = __webpack_require__(20322);








// The name is not `Bucket`, because ncc renames exports, and would rename the parameter `Bucket` of each command too.
/** A bucket, or the objects in it whose keys begin with a prefix, as a volume. Objects may have any keys and metadata. */
class BucketAccess {
    name;
    #destination;
    #session;
    constructor(destination, session) {
        this.name = destination.text;
        this.#destination = destination;
        this.#session = session;
    }
    /** In the order of the service. `limit`: the largest number of objects. */
    async *list(limit) {
        const { bucket, prefix } = this.#destination;
        let token;
        do {
            const page = await this.#session.try('list', '', async (requestTimeout) => {
                // Plain XML cannot represent every key.
                const command = new _aws_sdk_client_s3__WEBPACK_IMPORTED_MODULE_6__/* .ListObjectsV2Command */ .u6x({
                    Bucket: bucket,
                    Prefix: prefix,
                    ContinuationToken: token,
                    EncodingType: 'url',
                    MaxKeys: limit,
                });
                const page = await this.#session.client.send(command, { requestTimeout });
                if (page.IsTruncated === undefined)
                    throw new _net_retry_js__WEBPACK_IMPORTED_MODULE_2__/* .Transient */ .Rc('the answer is not that of an S3 service');
                return page;
            });
            const decoded = page.EncodingType === 'url' ? (key) => decodeURIComponent(key.replaceAll('+', ' ')) : (key) => key;
            for (const { Key = '', Size: size = 0, ETag = '', LastModified: modified = new Date(0) } of page.Contents ?? []) {
                const key = decoded(Key);
                if (!key.startsWith(prefix))
                    throw new _error_js__WEBPACK_IMPORTED_MODULE_1__/* .LifeboatError */ .H3(`${this.name} lists ${JSON.stringify(key)}, which does not begin with its prefix`);
                yield { key: key.slice(prefix.length), size, modified, etag: (0,_metadata_js__WEBPACK_IMPORTED_MODULE_5__/* .bare */ .$B)(ETag) };
            }
            const next = page.IsTruncated ? page.NextContinuationToken : undefined;
            if (page.IsTruncated && limit === undefined && (!next || next === token))
                throw new _error_js__WEBPACK_IMPORTED_MODULE_1__/* .LifeboatError */ .H3(`${this.name} does not say how its listing goes on`, {
                    hint: 'The service lacks ListObjectsV2, which is needed.',
                });
            token = limit === undefined ? next : undefined;
        } while (token !== undefined);
    }
    /** Throws ChangedObject if the object is gone or another version, and ClosedObject if it cannot be read. */
    async read({ key, etag, range }) {
        try {
            return await this.#session.try('get', shown(key), async (requestTimeout) => {
                const IfMatch = etag === '' ? undefined : `"${etag}"`;
                const command = new _aws_sdk_client_s3__WEBPACK_IMPORTED_MODULE_6__/* .GetObjectCommand */ .jLs({ ...this.#at(key), Range: range && `bytes=${range.start}-${range.end - 1}`, IfMatch });
                const answer = await this.#session.client.send(command, { requestTimeout });
                const bytes = Buffer.from((await answer.Body?.transformToByteArray()) ?? []);
                const size = Number(/\/(\d+)$/.exec(answer.ContentRange ?? '')?.[1] ?? bytes.length);
                if (range !== undefined && bytes.length !== Math.min(range.end, size) - range.start)
                    throw new _net_retry_js__WEBPACK_IMPORTED_MODULE_2__/* .Transient */ .Rc(`it gave ${bytes.length} bytes where ${range.end - range.start} were asked for`);
                // Some services ignore conditions.
                if (etag !== '' && (0,_metadata_js__WEBPACK_IMPORTED_MODULE_5__/* .bare */ .$B)(answer.ETag ?? '') !== etag)
                    throw new _changes_js__WEBPACK_IMPORTED_MODULE_7__/* .ChangedObject */ .U('it has changed');
                return { bytes, size, metadata: (0,_metadata_js__WEBPACK_IMPORTED_MODULE_5__/* .metadataOf */ .Nk)(key, answer) };
            });
        }
        catch (error) {
            throw readError(error);
        }
    }
    /** The current version of an object; undefined if there is none. */
    async look(key) {
        try {
            return await this.#session.try('head', shown(key), async (requestTimeout) => {
                const { ContentLength: size, LastModified: modified, ETag = '', } = await this.#session.client.send(new _aws_sdk_client_s3__WEBPACK_IMPORTED_MODULE_6__/* .HeadObjectCommand */ .l81(this.#at(key)), { requestTimeout });
                if (size === undefined || modified === undefined)
                    throw new _net_retry_js__WEBPACK_IMPORTED_MODULE_2__/* .Transient */ .Rc('the answer is not that of an S3 service');
                return { key, size, modified, etag: (0,_metadata_js__WEBPACK_IMPORTED_MODULE_5__/* .bare */ .$B)(ETag) };
            });
        }
        catch (error) {
            if (error instanceof _stores_store_js__WEBPACK_IMPORTED_MODULE_4__/* .NotFound */ .Mk)
                return undefined;
            throw error;
        }
    }
    /** Puts an object in one request. */
    async put(key, bytes, metadata) {
        const ContentMD5 = md5(bytes);
        await this.#session.try('put', shown(key), (requestTimeout) => this.#session.client.send(new _aws_sdk_client_s3__WEBPACK_IMPORTED_MODULE_6__/* .PutObjectCommand */ .wKZ({ ...this.#at(key), Body: bytes, ContentLength: bytes.length, ContentMD5, ...this.#headers(metadata) }), { requestTimeout }));
    }
    /** Begins an object in parts, each of at least 5 MiB except the last. The object exists once it is completed, not before. */
    async begin(key, metadata) {
        const at = this.#at(key);
        const send = (attempt) => this.#session.try('put', shown(key), (requestTimeout) => attempt({ requestTimeout }));
        const { client } = this.#session;
        const { UploadId } = await send((options) => client.send(new _aws_sdk_client_s3__WEBPACK_IMPORTED_MODULE_6__/* .CreateMultipartUploadCommand */ .nG4({ ...at, ...this.#headers(metadata) }), options));
        const parts = [];
        return {
            part: async (PartNumber, bytes) => {
                const ContentMD5 = md5(bytes);
                const { ETag } = await send((options) => client.send(new _aws_sdk_client_s3__WEBPACK_IMPORTED_MODULE_6__/* .UploadPartCommand */ .iVK({ ...at, UploadId, PartNumber, Body: bytes, ContentLength: bytes.length, ContentMD5 }), options));
                parts.push({ ETag, PartNumber });
            },
            complete: async () => {
                const MultipartUpload = { Parts: parts.toSorted((a, b) => a.PartNumber - b.PartNumber) };
                await send((options) => client.send(new _aws_sdk_client_s3__WEBPACK_IMPORTED_MODULE_6__/* .CompleteMultipartUploadCommand */ .Gym({ ...at, UploadId, MultipartUpload }), options));
            },
            abort: async () => void (await send((options) => client.send(new _aws_sdk_client_s3__WEBPACK_IMPORTED_MODULE_6__/* .AbortMultipartUploadCommand */ .tfP({ ...at, UploadId }), options))),
        };
    }
    async delete(key) {
        try {
            await this.#session.try('delete', shown(key), (requestTimeout) => this.#session.client.send(new _aws_sdk_client_s3__WEBPACK_IMPORTED_MODULE_6__/* .DeleteObjectCommand */ .k4j(this.#at(key)), { requestTimeout }));
        }
        catch (error) {
            if (!(error instanceof _stores_store_js__WEBPACK_IMPORTED_MODULE_4__/* .NotFound */ .Mk))
                throw error;
        }
    }
    close() {
        this.#session.client.destroy();
    }
    #at(key) {
        return { Bucket: this.#destination.bucket, Key: this.#destination.prefix + key };
    }
    /** Storage options of the target override those that the object had. */
    #headers(metadata) {
        const { storageClass, encryption: ServerSideEncryption, kmsKey: SSEKMSKeyId } = this.#destination;
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- services have classes that the SDK does not know
        const StorageClass = storageClass;
        return {
            ...(0,_metadata_js__WEBPACK_IMPORTED_MODULE_5__/* .headersOf */ .Yl)(metadata),
            ...(StorageClass !== undefined && { StorageClass }),
            ServerSideEncryption,
            SSEKMSKeyId,
        };
    }
}
/** The error of a read, as that of its object if it is of it alone. */
function readError(cause) {
    if (cause instanceof _stores_store_js__WEBPACK_IMPORTED_MODULE_4__/* .NotFound */ .Mk)
        return new _changes_js__WEBPACK_IMPORTED_MODULE_7__/* .ChangedObject */ .U('it is gone', { cause });
    const code = cause instanceof _error_js__WEBPACK_IMPORTED_MODULE_1__/* .LifeboatError */ .H3 && cause.cause instanceof Error ? cause.cause.name : '';
    // An object that has become shorter has no such range.
    if (code === 'PreconditionFailed' || code === 'InvalidRange')
        return new _changes_js__WEBPACK_IMPORTED_MODULE_7__/* .ChangedObject */ .U('it has changed', { cause });
    if (code === 'AccessDenied')
        return new _changes_js__WEBPACK_IMPORTED_MODULE_7__/* .ClosedObject */ .G('access is denied', { cause });
    if (code === 'InvalidObjectState')
        return new _changes_js__WEBPACK_IMPORTED_MODULE_7__/* .ClosedObject */ .G('its storage class cannot be read at once', { cause });
    return cause;
}
/** Sends no request yet. */
function openBucket(destination, environment) {
    return new BucketAccess(destination, (0,_stores_s3_session_js__WEBPACK_IMPORTED_MODULE_3__/* .openSession */ .f)(destination, environment));
}
/** The key for messages. */
function shown(key) {
    return /^[\u0021-\u007e]+$/.test(key) ? key : JSON.stringify(key);
}
function md5(bytes) {
    return (0,node_crypto__WEBPACK_IMPORTED_MODULE_0__.createHash)('md5').update(bytes).digest('base64');
}


/***/ })

};
