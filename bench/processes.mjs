/* Servers and loads as processes: where they run, where they listen, and that none outlives the benchmark. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

const READY_MS_MAX = 30000;
const STOP_MS_MAX = 20000;
const OUTPUT_CHARS_MAX = 1000000;

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/* ---- Where ---- */

/* "0-3,8" as the list of its numbers. */
export function cpuList(text) {
  return text.trim().split(',').flatMap((part) => {
    const [first, last = first] = part.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

/* A core for the server and one for the load; null when there is only one. */
export function coresOf(allowed) {
  return allowed.length < 2 ? null : { server: allowed[0], load: allowed[1] };
}

export function ownCores() {
  return coresOf(cpuList(/^Cpus_allowed_list:(.*)$/m.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]));
}

const onCore = (core, argv) => (core === undefined ? argv : ['taskset', '-c', String(core), ...argv]);

/* Open files for this process and all that it starts; what it got is returned. */
export async function raiseFileLimit(wanted) {
  await run(['prlimit', '--pid', String(process.pid), `--nofile=${wanted}:${wanted}`]).catch(() => {});
  return Number(/^Max open files\s+(\d+)/m.exec(fs.readFileSync('/proc/self/limits', 'utf8'))[1]);
}

/* ---- Directories ---- */

const directories = new Set();

/* Others may pass through it: PostgreSQL runs as another user. */
export function temporaryDirectory() {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'onhand-bench-'));
  fs.chmodSync(directory, 0o711);
  directories.add(directory);
  return directory;
}

export function removeDirectory(directory) {
  fs.rmSync(directory, { recursive: true, force: true });
  directories.delete(directory);
}

/* ---- Processes ---- */

const running = new Set();
let ending = false;

process.on('exit', () => {
  for (const { child } of running) {
    child.kill('SIGKILL');
  }
  for (const directory of directories) {
    fs.rmSync(directory, { recursive: true, force: true });
  }
});

/* Servers that have children of their own must stop these. */
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, async () => {
    ending = true;
    await Promise.all([...running].map(stopProcess));
    process.exit(1);
  });
}

/* A process and what it says; `exited` resolves with how it ended. `stop` is the signal that asks it to end. */
export function startProcess(argv, { core, cwd, stop = 'SIGTERM' } = {}) {
  if (ending) {
    throw new Error('interrupted');
  }
  const [program, ...args] = onCore(core, argv);
  const child = spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const one = { child, pid: child.pid, name: path.basename(argv[0]), stop, stdout: '', stderr: '' };
  running.add(one);
  for (const stream of ['stdout', 'stderr']) {
    child[stream].setEncoding('utf8').on('data', (chunk) => {
      one[stream] = (one[stream] + chunk).slice(-OUTPUT_CHARS_MAX);
    });
  }
  one.exited = new Promise((resolve) => {
    const end = (result) => {
      running.delete(one);
      resolve(result);
    };
    child.on('error', (error) => {
      one.stderr = error.message;
      end('an error');
    });
    child.on('close', (code, signal) => end(code ?? signal));
  });
  return one;
}

const lastWords = ({ stdout, stderr }) => (stderr.trim() || stdout.trim()).split('\n').slice(-3).join(' | ');

/* Runs a command to its end and gives what it printed; any other code throws its last words. */
export async function ranToEnd(argv, { codes, ...options }) {
  const one = startProcess(argv, options);
  const result = await one.exited;
  if (!codes.includes(result)) {
    throw new Error(`${one.name} ended with ${result}: ${lastWords(one)}`);
  }
  return one.stdout;
}

export const run = (argv, options) => ranToEnd(argv, { codes: [0], ...options });

export async function stopProcess(one) {
  one.child.kill(one.stop);
  const late = setTimeout(() => one.child.kill('SIGKILL'), STOP_MS_MAX);
  await one.exited;
  clearTimeout(late);
}

/* ---- Ports ---- */

export function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function accepts(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    const end = (result) => {
      socket.destroy();
      resolve(result);
    };
    socket.on('connect', () => end(true)).on('error', () => end(false));
  });
}

/* Waits until `check` gives something true. A process that ended or takes too long is stopped and fails. */
export async function untilReady(one, check) {
  let ended = false;
  one.exited.then(() => {
    ended = true;
  });
  for (const end = Date.now() + READY_MS_MAX; ; await sleep(20)) {
    const value = await check();
    if (value) {
      return value;
    }
    if (ended || Date.now() > end) {
      await stopProcess(one);
      throw new Error(`${one.name} did not start: ${lastWords(one)}`);
    }
  }
}

export const untilListening = (one, port) => untilReady(one, () => accepts(port));
