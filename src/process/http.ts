/** Node's HTTP client. An `import` of node:http reads everything that it exports, and loads undici for WebSocket: 40 ms of each start. */
export const http = process.getBuiltinModule('node:http')
