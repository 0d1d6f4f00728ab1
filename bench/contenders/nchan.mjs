/* nginx with the nchan module: one channel, published by POST, followed as Server-Sent Events. */
import { measureIdle } from '../idle.mjs';
import { benchOnhand } from '../load.mjs';
import { run } from '../processes.mjs';
import { startNginx, version as nginxVersion } from './nginx.mjs';

export const version = async () =>
  `${await run(['dpkg-query', '-W', '-f=${Version}', 'libnginx-mod-nchan'])} in nginx ${await nginxVersion()}`;

/* It keeps the newest message only, as we do, and pings nobody. */
const LOCATIONS = `
  location = /subscribe {
    nchan_subscriber eventsource;
    nchan_channel_id bench;
    nchan_eventsource_ping_interval 0;
    nchan_subscriber_first_message newest;
  }
  location = /publish {
    nchan_publisher;
    nchan_channel_id bench;
    nchan_message_buffer_length 1;
  }`;

export const start = (dir, { core }) => startNginx(dir, core, ['ngx_nchan_module'], LOCATIONS, 'nchan_shared_memory_size 256M;');

export function measure(server, load, options) {
  if (load.work === 'idle') {
    return measureIdle(server, '/subscribe', load.streams);
  }
  return benchOnhand({ ...load, subscribe: '/subscribe', publish: '/publish', url: `http://127.0.0.1:${server.port}` }, options);
}
