/*
 * Servers as processes of their own, in the way of a supervisor: one that ends by itself is started again, one that is killed
 * by its pid stays away until it is started. What they say is kept for when something goes wrong.
 */
import { spawn } from 'node:child_process';
import net from 'node:net';

const LOG_CHARS_MAX = 200000;
const RESTART_MS = 1000; /* as RestartSec of deploy/systemd */
const STOP_MS_MAX = 30000;
/* Below the ports that outgoing connections get, so that none is taken while its server is down. */
const PORTS = { first: 20000, count: 12000 };

export const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/* Waits until `check` gives something true. */
export async function until(check, what, ms = 30000) {
  const end = performance.now() + ms;
  for (;;) {
    const value = await check();
    if (value) {
      return value;
    }
    if (performance.now() > end) {
      throw new Error(`waited ${ms} ms in vain for ${what}`);
    }
    await sleep(20);
  }
}

const isFree = (port) => new Promise((resolve) => {
  const server = net.createServer();
  server.on('error', () => resolve(false));
  server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
});

const given = new Set();

/* A port of 127.0.0.1 that nothing uses; each is given once. */
export async function freePort() {
  for (;;) {
    const port = PORTS.first + Math.floor(Math.random() * PORTS.count);
    if (!given.has(port) && await isFree(port)) {
      given.add(port);
      return port;
    }
  }
}

const alive = new Set();

process.on('exit', () => {
  for (const one of alive) {
    one.child.kill('SIGKILL');
  }
});

export class Process {
  /* `again`: exit codes after which it is started again; true: all. `failed` is told of an end with another. */
  constructor(name, argv, { again = [], failed = () => {}, restartMs = RESTART_MS } = {}) {
    Object.assign(this, { name, argv, failed, restartMs, log: '', exits: [], child: null, wanted: false });
    this.startsAgain = (code) => again === true || again.includes(code);
  }

  get pid() {
    return this.child.pid;
  }

  get runs() {
    return this.child !== null;
  }

  note(text) {
    this.log = (this.log + text).slice(-LOG_CHARS_MAX);
  }

  start() {
    if (this.runs) {
      throw new Error(`${this.name} runs already`);
    }
    this.wanted = true;
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('ONHAND_')));
    env.PATH = `${env.PATH}:/usr/sbin`; /* where Debian has servers */
    const [program, ...args] = this.argv;
    const child = spawn(program, args, { cwd: '/', env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child = child;
    alive.add(this);
    this.note(`---- started, pid ${child.pid}\n`);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => this.note(text));
    }
    this.ended = new Promise((resolve) => {
      child.on('error', (error) => this.note(`${error}\n`));
      child.on('close', (code, signal) => {
        this.end(code ?? signal);
        resolve(code ?? signal);
      });
    });
  }

  end(how) {
    alive.delete(this);
    this.child = null;
    this.note(`---- ended with ${how}\n`);
    if (!this.wanted) {
      return;
    }
    this.exits.push(how);
    if (!this.startsAgain(how)) {
      this.wanted = false;
      this.failed(`${this.name} ended by itself with ${how}`);
      return;
    }
    setTimeout(() => {
      if (this.wanted && !this.runs) {
        this.start();
      }
    }, this.restartMs);
  }

  /* Ends it by this signal, for good. Gives the exit code, or the signal; null: it did not run. */
  async kill(signal = 'SIGKILL') {
    this.wanted = false;
    if (!this.runs) {
      return null;
    }
    const { ended } = this;
    const late = setTimeout(() => this.child?.kill('SIGKILL'), STOP_MS_MAX);
    this.child.kill(signal);
    const how = await ended;
    clearTimeout(late);
    return how;
  }

  /* It stands still until it is thawed, and does not know. */
  freeze() {
    this.signal('SIGSTOP');
  }

  thaw() {
    this.signal('SIGCONT');
  }

  signal(which) {
    if (!this.child?.kill(which)) {
      throw new Error(`${this.name} does not run`);
    }
  }
}
