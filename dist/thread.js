import { createRequire as __WEBPACK_EXTERNAL_createRequire } from "module";
var __webpack_exports__ = {};

;// CONCATENATED MODULE: external "node:worker_threads"
const external_node_worker_threads_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:worker_threads");
;// CONCATENATED MODULE: ./compiled/error.js
/** An error for the person who runs Lifeboat: `message` says what happened to what, `hint` what to do now. */
class LifeboatError extends Error {
    hint;
    status;
    constructor(message, options = {}) {
        super(message, options.cause === undefined ? undefined : { cause: options.cause });
        this.name = 'LifeboatError';
        this.hint = options.hint;
        this.status = options.status ?? 1;
    }
}
/** The message of anything that was thrown. */
function messageOf(error) {
    return error instanceof Error ? error.message : String(error);
}
/** A value that an input does not take. Thrown by parsers; the message follows the name of the input. */
class InvalidValue extends (/* unused pure expression or super */ null && (Error)) {
}

;// CONCATENATED MODULE: ./compiled/process/buffers.js
/**
 * Releases the memory of a buffer at once. Without it, Node collects garbage for every few megabytes of a backup, which takes a fifth of
 * all CPU time. All views of the buffer are empty afterwards, so nobody else may use it: not for small buffers, which Node cuts from a
 * shared one, nor for one given to a store, which may still be sending it when the put is done.
 */
function giveBack(buffer) {
    // To detach it is all that this does (ECMAScript 2024, ArrayBuffer.prototype.transfer).
    if (buffer instanceof ArrayBuffer && buffer.byteLength > 0)
        buffer.transfer(0);
}
/** The same for a buffer that may be cut from one that Node shares among small ones: those are left to the collector. */
function giveBackLarge(bytes) {
    if (bytes.buffer.byteLength > Buffer.poolSize)
        giveBack(bytes.buffer);
}

;// CONCATENATED MODULE: external "node:crypto"
const external_node_crypto_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:crypto");
;// CONCATENATED MODULE: ./compiled/repository/chunk-id.js

/** `hex(HMAC-SHA-256(id key, plaintext))`. */
function chunkId(plaintext, { idKey }) {
    return (0,external_node_crypto_namespaceObject.createHmac)('sha256', idKey).update(plaintext).digest('hex');
}

;// CONCATENATED MODULE: ./compiled/repository/sealing/payload.js


/**
 * The payload of an age file: ChaCha20-Poly1305 in segments of 64 KiB (the "STREAM" part of https://age-encryption.org/v1). With
 * node:crypto this is over ten times faster than with the age library, which makes the header.
 */
const SEGMENT = 64 * 1024;
const TAG = 16;
const NONCE = 16;
/** The whole age file, in a buffer of its own: its header, whose file key this is, and the plaintext encrypted. */
function encryptPayload(plaintext, header, fileKey) {
    const segments = Math.max(1, Math.ceil(plaintext.length / SEGMENT));
    const file = Buffer.allocUnsafeSlow(header.length + NONCE + plaintext.length + segments * TAG);
    const nonce = (0,external_node_crypto_namespaceObject.randomBytes)(NONCE);
    const key = payloadKey(fileKey, nonce);
    file.set(header);
    file.set(nonce, header.length);
    let position = header.length + NONCE;
    const add = (bytes) => {
        file.set(bytes, position);
        position += bytes.length;
    };
    for (let index = 0; index < segments; index++) {
        const cipher = (0,external_node_crypto_namespaceObject.createCipheriv)('chacha20-poly1305', key, segmentNonce(index, index === segments - 1), { authTagLength: TAG });
        const segment = cipher.update(plaintext.subarray(index * SEGMENT, (index + 1) * SEGMENT));
        cipher.final();
        add(segment);
        add(cipher.getAuthTag());
        giveBack(segment.buffer);
    }
    return file;
}
/** The plaintext of an age file's payload, in its own buffer; throws unless the payload is whole and undamaged under this file key. */
function decryptPayload(payload, fileKey) {
    if (payload.length < NONCE + TAG)
        throw new Error('age file is truncated');
    const key = payloadKey(fileKey, payload.subarray(0, NONCE));
    const body = payload.subarray(NONCE);
    const segments = Math.ceil(body.length / (SEGMENT + TAG));
    const plaintext = Buffer.allocUnsafeSlow(Math.max(0, body.length - segments * TAG));
    for (let index = 0; index < segments; index++) {
        const segment = body.subarray(index * (SEGMENT + TAG), (index + 1) * (SEGMENT + TAG));
        // Only an empty file may have an empty segment.
        if (segment.length < TAG || (segment.length === TAG && index > 0))
            throw new Error('age file is truncated');
        const decipher = (0,external_node_crypto_namespaceObject.createDecipheriv)('chacha20-poly1305', key, segmentNonce(index, index === segments - 1), { authTagLength: TAG });
        decipher.setAuthTag(segment.subarray(segment.length - TAG));
        const decrypted = decipher.update(segment.subarray(0, segment.length - TAG));
        try {
            decipher.final();
        }
        catch {
            // The message of Node's error means nothing to people.
            throw new Error('its content was changed');
        }
        plaintext.set(decrypted, index * SEGMENT);
        giveBack(decrypted.buffer);
    }
    return plaintext;
}
function payloadKey(fileKey, nonce) {
    return Buffer.from((0,external_node_crypto_namespaceObject.hkdfSync)('sha256', fileKey, nonce, 'payload', 32));
}
function segmentNonce(index, last) {
    const nonce = Buffer.alloc(12);
    nonce.writeUIntBE(index, 5, 6);
    nonce[11] = last ? 1 : 0;
    return nonce;
}

;// CONCATENATED MODULE: external "node:util"
const external_node_util_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:util");
;// CONCATENATED MODULE: external "node:zlib"
const external_node_zlib_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:zlib");
;// CONCATENATED MODULE: ./compiled/repository/sealing/frame.js
const MAGIC = 0xfd2fb528;
const LARGEST_WINDOW = 2 ** 27;
const RLE = 1;
const RESERVED = 3;
/**
 * The content size of one Zstandard frame (RFC 8878, section 3.1.1), from its header alone, so that nothing need be decompressed to know
 * it. Throws unless the bytes are exactly one frame with a content size: a skippable frame, a second frame, bytes after it, a dictionary id
 * or a window that `zstd -d` refuses.
 */
function frame_contentSizeOf(bytes) {
    const frame = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (frame.length < 6 || frame.readUInt32LE(0) !== MAGIC)
        throw new Error('it is not a zstd frame');
    const descriptor = frame[4];
    const [sizeFlag, singleSegment, reserved, checksum, dictionaryId] = [
        descriptor >> 6, (descriptor & 0x20) !== 0, (descriptor & 0x08) !== 0, (descriptor & 0x04) !== 0, descriptor & 0x03,
    ];
    if (reserved || dictionaryId !== 0)
        throw new Error('it is a zstd frame with a reserved bit or a dictionary id');
    if (sizeFlag === 0 && !singleSegment)
        throw new Error('it is a zstd frame without a content size');
    const sizeAt = singleSegment ? 5 : 6;
    const sizeBytes = [1, 2, 4, 8][sizeFlag];
    const firstBlock = sizeAt + sizeBytes;
    if (frame.length < firstBlock)
        throw new Error('it is a zstd frame that is cut short');
    if (!singleSegment && windowOf(frame[5]) > LARGEST_WINDOW)
        throw new Error('it is a zstd frame with too large a window');
    if (endOfBlocks(frame, firstBlock) + (checksum ? 4 : 0) !== frame.length)
        throw new Error('it is not exactly one zstd frame');
    const size = sizeBytes === 8 ? Number(frame.readBigUInt64LE(sizeAt)) : frame.readUIntLE(sizeAt, sizeBytes) + (sizeBytes === 2 ? 256 : 0);
    if (singleSegment && size > LARGEST_WINDOW)
        throw new Error('it is a zstd frame with too large a window');
    return size;
}
function windowOf(descriptor) {
    const base = 2 ** (10 + (descriptor >> 3));
    return base + (base / 8) * (descriptor & 0x07);
}
/** Where the last block of a frame ends. */
function endOfBlocks(frame, first) {
    for (let position = first; position + 3 <= frame.length;) {
        const header = frame.readUIntLE(position, 3);
        const [last, type, size] = [(header & 1) === 1, (header >> 1) & 3, header >> 3];
        if (type === RESERVED)
            break;
        position += 3 + (type === RLE ? 1 : size);
        if (last)
            return position;
    }
    throw new Error('it is a zstd frame that is cut short');
}

;// CONCATENATED MODULE: ./compiled/repository/sealing/zstd.js



/** The first bytes of a structured dictionary, as `zstd -D` would read it (RFC 8878, section 5): such a chunk cannot be a base. */
const DICTIONARY_MAGIC = 0xec30a437;
function canBeBase(plaintext) {
    return plaintext.length > 8 && plaintext.readUInt32LE(0) !== DICTIONARY_MAGIC;
}
/** Most metadata decompresses into one piece of this size, so that no pieces have to be joined. Unfilled pages take no memory. */
const METADATA_PIECE = (/* unused pure expression or super */ null && (32 * 1024 * 1024));
/**
 * One zstd frame (RFC 8878) with its content size, at zstd's `level`, 1 to 19. With `base`, a difference that stock zstd reads with `-D
 * base`: `search` is for data that compresses well. It has a larger buffer of its own.
 */
function compress(plaintext, level, base, search = false) {
    const params = base ? differenceParameters(base.length + plaintext.length, search) : { [external_node_zlib_namespaceObject.constants.ZSTD_c_compressionLevel]: level };
    return (0,external_node_zlib_namespaceObject.zstdCompressSync)(plaintext, { params, dictionary: base, pledgedSrcSize: plaintext.length, chunkSize: roomFor(plaintext.length) });
}
/**
 * More than so many bytes can become (ZSTD_compressBound): zstd then compresses straight from the input, without a window of its own. Where
 * the result fills its buffer, Node makes another for what could follow; and small buffers it cuts from one that others share.
 */
function roomFor(bytes) {
    return bytes + (bytes >> 8) + 64 * 1024;
}
/**
 * For a difference, given the bytes of base and chunk together. zstd sizes its tables for the input alone, which would index too little of
 * a dictionary as large as the input, so window and tables are set; a quarter of both is enough, and above a million entries they only take
 * memory. Two ways to look for matches. The plain one takes the first it finds. The rows of a table are short and begin alike, so there the
 * first is rarely the one in the base that goes on matching: a search among 32 makes differences of such tables a third as large. But the
 * search forgets the beginning of a large base, which only data that repeats itself forgives.
 */
function differenceParameters(bytes, search) {
    const log = Math.max(12, Math.ceil(Math.log2(bytes)));
    return {
        [external_node_zlib_namespaceObject.constants.ZSTD_c_strategy]: search ? external_node_zlib_namespaceObject.constants.ZSTD_greedy : external_node_zlib_namespaceObject.constants.ZSTD_dfast,
        [external_node_zlib_namespaceObject.constants.ZSTD_c_windowLog]: log,
        [external_node_zlib_namespaceObject.constants.ZSTD_c_hashLog]: Math.min(log - 2, 20),
        [external_node_zlib_namespaceObject.constants.ZSTD_c_chainLog]: Math.min(log - 3, 19),
        [external_node_zlib_namespaceObject.constants.ZSTD_c_searchLog]: 5,
        [external_node_zlib_namespaceObject.constants.ZSTD_c_minMatch]: 6,
    };
}
/** The reverse of `compress`, in a larger buffer of its own; throws unless it is exactly one whole frame of `size` bytes. */
function decompress(compressed, size, base) {
    const content = frame_contentSizeOf(compressed);
    if (content !== size)
        throw new Error(`its content has ${content} bytes instead of ${size}`);
    return (0,external_node_zlib_namespaceObject.zstdDecompressSync)(compressed, { dictionary: base, maxOutputLength: Math.max(1, size), chunkSize: roomFor(size) });
}
const decompressAsync = (0,external_node_util_namespaceObject.promisify)(external_node_zlib_namespaceObject.zstdDecompress);
/** A frame of metadata; throws, before anything is decompressed, unless it is exactly one of at most `most` bytes. */
async function decompressUpTo(compressed, most) {
    const content = contentSizeOf(compressed);
    if (content > most)
        throw new Error(`its content has ${content.toLocaleString('en')} bytes, more than the ${most.toLocaleString('en')} that it may have`);
    return decompressAsync(compressed, { maxOutputLength: Math.max(1, content), chunkSize: Math.min(content, METADATA_PIECE) + 64 });
}

;// CONCATENATED MODULE: ./compiled/repository/sealing/thread.js
// The work of a thread that seals and opens chunks: see threads.ts.






external_node_worker_threads_namespaceObject.parentPort.on('message', ({ number, sealing, opening }) => {
    try {
        answer({ number, done: sealing ? seal(sealing) : thread_open(opening) });
    }
    catch (error) {
        answer({ number, failure: messageOf(error) });
    }
});
/** The bytes, which have a buffer of their own, are handed over. */
function answer(outcome) {
    const buffer = outcome.done?.bytes.buffer;
    external_node_worker_threads_namespaceObject.parentPort.postMessage(outcome, buffer instanceof ArrayBuffer ? [buffer] : []);
}
function seal({ plaintext, level, difference, header, fileKey }) {
    const small = difference && differenceOf(plaintext, level, difference);
    const compressed = small ?? compress(plaintext, level);
    const bytes = encryptPayload(compressed, header, fileKey);
    giveBack(compressed.buffer);
    return { bytes, difference: small !== undefined };
}
function differenceOf(plaintext, level, { base, search, most }) {
    const compressed = compress(plaintext, level, base, search);
    giveBack(base.buffer);
    if (compressed.length <= most)
        return compressed;
    giveBack(compressed.buffer);
    return undefined;
}
function thread_open({ payload, fileKey, idKey, size, base }) {
    const compressed = decryptPayload(payload, fileKey);
    giveBack(payload.buffer);
    const plaintext = decompress(compressed, size, base);
    giveBack(compressed.buffer);
    if (base)
        giveBack(base.buffer);
    return { bytes: plaintext, id: chunkId(plaintext, { idKey }) };
}

