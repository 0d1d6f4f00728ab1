/*
 * Servers that do only what cannot be left out (bench/bare/bare.c): with libmicrohttpd for reads and reservations, without
 * any library for streams. What they reach bounds what Onhand can reach on the same kernel, disk and library.
 */
import path from 'node:path';
import { BINARY, benchOnhand, constantLoad } from '../load.mjs';
import { startProcess, stopProcess, untilReady } from '../processes.mjs';

const BARE = path.join(path.dirname(BINARY), 'bare');

export const version = async () => 'of this commit';

export async function start(dir, { core, load, samples }) {
  const argv = load.work === 'stream' ? ['stream'] : ['http', samples.availability, samples.reservation, ...samples.headers];
  const one = startProcess([BARE, ...argv], { core, cwd: dir });
  const port = await untilReady(one, () => Number(one.stdout) || undefined);
  return { port, stop: () => stopProcess(one) };
}

export function measure({ port }, load, options) {
  const url = `http://127.0.0.1:${port}`;
  switch (load.work) {
  case 'read':
    return benchOnhand({ ...constantLoad(load), url }, options);
  case 'stream':
    return benchOnhand({ ...load, subscribe: '/subscribe', publish: '/publish', url }, options);
  default:
    return benchOnhand({ ...load, url }, options);
  }
}
