/*
 * Servers as processes of their own: started, killed, frozen and thawed by their pid, and started again when they end with
 * a code after which a supervisor would. What they say is kept for when a test fails.
 */
import { spawn } from 'node:child_process';
import assert from 'node:assert/strict';
import net from 'node:net';

const LOG_CHARS_MAX = 200000;
const RESTART_MS = 200; /* a supervisor does not begin anew at once */
const STOP_MS_MAX = 30000;
/* Below the ports that outgoing connections get, so that none is taken while its server is down. */
const PORTS = { first: 20000, count: 12000 };

const alive = new Set();

process.on('exit', () => {
  for (const one of alive) {
    one.child.kill('SIGKILL');
  }
});

const listens = (port) => new Promise((resolve) => {
  const server = net.createServer();
  server.on('error', () => resolve(false));
  server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
});

const taken = new Set();

/* A port that nothing uses; each is given once. */
export async function freePort() {
  for (;;) {
    const port = PORTS.first + Math.floor(Math.random() * PORTS.count);
    if (!taken.has(port) && await listens(port)) {
      taken.add(port);
      return port;
    }
  }
}

export class Process {
  /* `again`: exit codes after which it is started again. `failed` is told when it ends by itself with another. */
  constructor(name, argv, { again = [], failed = () => {}, cwd = '/' } = {}) {
    Object.assign(this, { name, argv, again: new Set(again), failed, cwd, log: '', exits: [], child: null, wanted: false });
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
    assert.ok(!this.runs, `${this.name} runs already`);
    this.wanted = true;
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('ONHAND_')));
    const [program, ...args] = this.argv;
    const child = spawn(program, args, { cwd: this.cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child = child;
    alive.add(this);
    this.note(`---- started, pid ${child.pid}\n`);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => this.note(text));
    }
    this.ended = new Promise((resolve) => {
      child.on('error', (error) => this.note(`${error}\n`));
      child.on('close', (code, signal) => {
        this.end(code, signal);
        resolve({ code, signal });
      });
    });
  }

  end(code, signal) {
    alive.delete(this);
    this.child = null;
    this.note(`---- ended with ${code ?? signal}\n`);
    if (!this.wanted) {
      return;
    }
    this.exits.push(code ?? signal);
    if (!this.again.has(code)) {
      this.wanted = false;
      this.failed(`${this.name} ended by itself with ${code ?? signal}`);
      return;
    }
    setTimeout(() => {
      if (this.wanted && !this.runs) {
        this.start();
      }
    }, RESTART_MS);
  }

  /* It ends, by this signal, and stays so. Gives how it ended; null: it did not run. */
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

  freeze() {
    assert.ok(this.child?.kill('SIGSTOP'), `${this.name} runs`);
  }

  thaw() {
    assert.ok(this.child?.kill('SIGCONT'), `${this.name} runs`);
  }
}
