/* `onhand bench`, the load client for everything that speaks HTTP. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ranToEnd } from './processes.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
export const BINARY = path.resolve(process.env.ONHAND_BIN ?? path.join(root, 'build/onhand'));

const BAD_ANSWERS = 1; /* its exit code; there is a result all the same */
const UNSENT_SHARE_MAX = 0.01;

/* The members of a load are the options of the command; true is an option without a value, false none. */
export function benchArguments({ work, ...load }, { seconds, warmup }) {
  const options = Object.entries({ ...load, seconds, warmup }).filter(([, value]) => value !== false);
  return [work, ...options.flatMap(([name, value]) => (value === true ? [`--${name}`] : [`--${name}`, String(value)])), '--json', '-'];
}

/* A load of reads for a server that has one answer to everything. */
export const constantLoad = ({ work, connections, spin = false }) => ({ work, connections, spin, path: '/' });

export async function benchOnhand(load, { core, ...times }) {
  const text = await ranToEnd([BINARY, 'bench', ...benchArguments(load, times)], { core, codes: [0, BAD_ANSWERS] });
  return checked(JSON.parse(text));
}

/* A figure of nothing, or of which a part failed, is none; nor are latencies of a rate that was not reached. */
export function checked(result) {
  if (result.errors > 0) {
    throw new Error(`${result.errors} of ${result.requests} requests failed: ${result.first_error}`);
  }
  if (result.unsent > UNSENT_SHARE_MAX * result.requests) {
    throw new Error(`the rate was not reached: ${result.unsent} requests were never sent, ${result.requests} were`);
  }
  if (result.operations === 0) {
    throw new Error('nothing was answered in the time');
  }
  return result;
}
