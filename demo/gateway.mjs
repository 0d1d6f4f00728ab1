/*
 * nginx as the gateway, from the files of deploy/nginx with the addresses and paths of this machine put in: what runs here is
 * what is shipped. A temporary directory is its /etc, its cache and its log.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Process, freePort, until } from './processes.mjs';

const shipped = path.join(path.dirname(fileURLToPath(import.meta.url)), '../deploy/nginx');

/* What surrounds the shipped files; Debian's own nginx.conf does the same. */
const MAIN = (root) => `
${process.getuid() === 0 ? 'user www-data;' : ''}
worker_processes 2;
daemon off;
pid ${root}/nginx.pid;
error_log stderr warn;
events { worker_connections 4096; }
http {
    access_log off;
    client_body_temp_path ${root}/body;
    proxy_temp_path ${root}/proxy;
    fastcgi_temp_path ${root}/fastcgi;
    uwsgi_temp_path ${root}/uwsgi;
    scgi_temp_path ${root}/scgi;
    include onhand.conf;
}
`;

/* Each must be there: a change of the shipped file that this does not follow is noticed. */
function replaced(text, pairs) {
  return pairs.reduce((now, [what, by]) => {
    if (!now.includes(what)) {
      throw new Error(`deploy/nginx/onhand.conf has no "${what}"`);
    }
    return now.replaceAll(what, by);
  }, text);
}

function makeCertificate(root) {
  const made = spawnSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
    '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', `${root}/privkey.pem`, '-out', `${root}/fullchain.pem`],
  { encoding: 'utf8' });
  if (made.status !== 0) {
    throw new Error(`openssl: ${made.stderr}`);
  }
}

/* A server beside the others, without TLS, for clients of this machine. */
const plainServer = (port) => `
server {
    listen 127.0.0.1:${port};
    access_log off;
    include onhand/server.conf;
}
`;

export class Gateway {
  /*
   * `root` is a directory of its own, readable by all. `nodes` are {port}. `edits` are pairs of texts of the shipped onhand.conf:
   * what stands there, and instead of it. With `plain` it also listens without TLS.
   */
  static async start({ root, nodes, edits = [], plain = false }) {
    const gateway = new Gateway();
    const [tls, redirect] = [await freePort(), await freePort()];
    Object.assign(gateway, { root, port: tls, redirectPort: redirect, plainPort: plain ? await freePort() : null });
    fs.cpSync(path.join(shipped, 'onhand'), path.join(root, 'onhand'), { recursive: true });
    makeCertificate(root);
    const site = replaced(fs.readFileSync(path.join(shipped, 'onhand.conf'), 'utf8'), [
      ['    server 127.0.0.1:8081 max_fails=1 fail_timeout=2s;\n    server 127.0.0.1:8082 max_fails=1 fail_timeout=2s;\n',
        nodes.map(({ port }) => `    server 127.0.0.1:${port} max_fails=1 fail_timeout=2s;\n`).join('')],
      ['listen 443 ssl', `listen ${tls} ssl`],
      ['listen 80;', `listen ${redirect};`],
      ['/etc/ssl/onhand/', `${root}/`],
      ['/var/log/nginx/', `${root}/`],
      ['/var/cache/onhand', `${root}/cache`],
      ...edits,
    ]);
    fs.writeFileSync(path.join(root, 'onhand.conf'), site + (plain ? plainServer(gateway.plainPort) : ''));
    fs.writeFileSync(path.join(root, 'nginx.conf'), MAIN(root));
    gateway.process = new Process('nginx', ['nginx', '-p', root, '-c', `${root}/nginx.conf`, '-e', 'stderr']);
    gateway.process.start();
    await until(() => gateway.isUp(), 'nginx');
    return gateway;
  }

  isUp() {
    if (!this.process.runs) {
      throw new Error(`nginx ended: ${this.process.log}`);
    }
    return fs.existsSync(`${this.root}/nginx.pid`) && fs.readFileSync(`${this.root}/nginx.pid`, 'utf8').trim() !== '';
  }

  get certificate() {
    return fs.readFileSync(`${this.root}/fullchain.pem`);
  }

  get accessLog() {
    return fs.readFileSync(`${this.root}/onhand.json`, 'utf8').split('\n').filter((line) => line !== '').map((line) => JSON.parse(line));
  }

  stop() {
    return this.process.kill('SIGTERM');
  }
}
