/* nginx that answers everything with the same bytes: what a read would cost if there were nothing to read. */
import fs from 'node:fs';
import { benchOnhand, constantLoad } from '../load.mjs';
import { freePort, run, startProcess, stopProcess, untilListening } from '../processes.mjs';

const NGINX = '/usr/sbin/nginx'; /* not on everybody's PATH */
const MODULES = '/usr/lib/nginx/modules';

/* nginx says its version on stderr. */
export const version = async () => (await run(['sh', '-c', `${NGINX} -v 2>&1`])).trim().split('/').at(-1);

export async function start(dir, { core, samples }) {
  return startNginx(dir, core, [], `location / { default_type application/json; return 200 '${quoted(samples.availability)}'; }`);
}

export const measure = ({ port }, load, options) =>
  benchOnhand({ ...constantLoad(load), url: `http://127.0.0.1:${port}` }, options);

/* As the inside of a string of the configuration. There is no way to write a dollar there. */
export function quoted(body) {
  if (body.includes('$')) {
    throw new Error('nginx cannot answer with a dollar');
  }
  return body.replace(/[\\']/g, '\\$&');
}

/* One worker, nothing logged, connections that are kept for ever. */
export async function startNginx(dir, core, modules, locations, http = '') {
  const port = await freePort();
  fs.mkdirSync(`${dir}/nginx`);
  fs.writeFileSync(`${dir}/nginx/nginx.conf`, `
    ${modules.map((name) => `load_module ${MODULES}/${name}.so;`).join('\n')}
    daemon off;
    worker_processes 1;
    pid nginx.pid;
    error_log stderr error;
    events { worker_connections 60000; }
    http {
      access_log off;
      keepalive_requests 1000000000;
      keepalive_timeout 3600;
      ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${name};`).join(' ')}
      ${http}
      server { listen 127.0.0.1:${port} backlog=4096; ${locations} }
    }`);
  const one = startProcess([NGINX, '-p', `${dir}/nginx`, '-c', 'nginx.conf', '-e', 'stderr'], { core });
  await untilListening(one, port);
  return { port, pid: one.pid, stop: () => stopProcess(one) };
}
