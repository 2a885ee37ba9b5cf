import{createRequire}from'node:module';const require=createRequire(import.meta.url),__dirname=import.meta.dirname;
function giveBack(buffer){buffer instanceof ArrayBuffer&&buffer.byteLength>0&&buffer.transfer(0)}function giveBackLarge(bytes){bytes.buffer.byteLength>Buffer.poolSize&&giveBack(bytes.buffer)}export{giveBack,giveBackLarge};
