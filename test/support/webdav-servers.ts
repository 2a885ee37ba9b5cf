import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type Daemon, startDaemon } from './daemon.ts'

/** A WebDAV server that is open to everybody. */
export interface OpenWebdavServer extends Daemon {
  /** Ends with a slash. */
  base: string
  /** The folder that it serves there. */
  files: string
}

async function start(name: string, command: Parameters<typeof startDaemon>[1]): Promise<OpenWebdavServer> {
  const daemon = await startDaemon(name, (port, folder) => {
    mkdirSync(path.join(folder, 'files'), { recursive: true })
    return command(port, folder)
  })
  return { ...daemon, base: `http://127.0.0.1:${daemon.port}/`, files: path.join(daemon.folder, 'files') }
}

/** nginx with its own module for PUT, DELETE, MKCOL and MOVE, and nginx-dav-ext for PROPFIND. `limit`: of an upload; 0 is none. */
export function startNginx({ methods = 'PUT DELETE MKCOL COPY MOVE', limit = '0' }: { methods?: string; limit?: string } = {}): Promise<OpenWebdavServer> {
  return start('nginx', (port, folder) => {
    writeFileSync(
      path.join(folder, 'nginx.conf'),
      `load_module /usr/lib/nginx/modules/ngx_http_dav_ext_module.so;
daemon off;
${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes 1;
pid ${folder}/pid;
error_log stderr error;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path ${folder}/bodies;
  proxy_temp_path ${folder}/unused; fastcgi_temp_path ${folder}/unused; uwsgi_temp_path ${folder}/unused; scgi_temp_path ${folder}/unused;
  server {
    listen 127.0.0.1:${port};
    root ${folder}/files;
    location / {
      dav_methods ${methods};
      dav_ext_methods PROPFIND OPTIONS;
      client_max_body_size ${limit};
    }
  }
}
`,
    )
    return { program: '/usr/sbin/nginx', args: ['-e', 'stderr', '-c', path.join(folder, 'nginx.conf')] }
  })
}

export function startLighttpd(): Promise<OpenWebdavServer> {
  return start('lighttpd', (port, folder) => {
    writeFileSync(
      path.join(folder, 'lighttpd.conf'),
      `server.modules = ("mod_webdav")
server.bind = "127.0.0.1"
server.port = ${port}
server.document-root = "${folder}/files"
server.upload-dirs = ("${folder}")
webdav.activate = "enable"
`,
    )
    return { program: '/usr/sbin/lighttpd', args: ['-D', '-f', path.join(folder, 'lighttpd.conf')] }
  })
}

/** webdav-server of npm, over a folder. */
export function startNpmWebdav(): Promise<OpenWebdavServer> {
  const code = `
    import { createRequire } from 'node:module'
    const { v2 } = createRequire(process.argv[1])('webdav-server')
    const server = new v2.WebDAVServer({ hostname: '127.0.0.1', port: Number(process.argv[2]) })
    server.setFileSystem('/', new v2.PhysicalFileSystem(process.argv[3]), () => server.start())`
  return start('webdav-server', (port, folder) => ({ program: process.execPath, args: ['--input-type=module', '-e', code, import.meta.filename, String(port), path.join(folder, 'files')] }))
}

export function startRcloneWebdav(): Promise<OpenWebdavServer> {
  return start('rclone', (port, folder) => ({ program: 'rclone', args: ['serve', 'webdav', '--addr', `127.0.0.1:${port}`, path.join(folder, 'files')] }))
}
