/* Real servers of caches and of a broker for the tests, on free ports, and how another program reads the caches. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import assert from 'node:assert/strict';
import net from 'node:net';
import { temporaryDirectory, until } from './harness.mjs';

export function freePort() {
  return new Promise((resolve, reject) => {
    const probe = net.createServer().on('error', reject).listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

const accepts = (port) => new Promise((resolve) => {
  const socket = net.connect(port, '127.0.0.1')
    .on('connect', () => { socket.destroy(); resolve(true); })
    .on('error', () => resolve(false));
});

const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/* A program that listens on `port`; it can be killed and started again, on the same port. */
async function daemon(program, argumentsOf) {
  const port = await freePort();
  const directory = temporaryDirectory();
  const d = { port, child: null };
  d.start = async () => {
    d.child = spawn(program, argumentsOf(port, directory), { stdio: 'ignore' });
    running.add(d.child);
    await until(() => accepts(port), `${program} accepts connections`, 30000);
  };
  d.kill = async () => {
    if (d.child !== null) {
      const closed = once(d.child, 'close');
      d.child.kill('SIGKILL');
      await closed;
      running.delete(d.child);
      d.child = null;
    }
  };
  d.freeze = () => d.child.kill('SIGSTOP');
  d.thaw = () => d.child.kill('SIGCONT');
  await d.start();
  return d;
}

export const startNats = () => daemon('/usr/sbin/nats-server', (port, directory) => ['-a', '127.0.0.1', '-p', port, '-js', '-sd', directory]);

function redisCli(port, ...words) {
  const done = spawnSync('redis-cli', ['-h', '127.0.0.1', '-p', String(port), '--raw', ...words], { encoding: 'utf8' });
  assert.equal(done.status, 0, done.stderr);
  return done.stdout.replace(/\n$/, '');
}

async function startRedis() {
  const d = await daemon('/usr/bin/redis-server', (port, directory) =>
    ['--port', port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', directory]);
  d.url = `redis://127.0.0.1:${d.port}`;
  d.get = async (key) => redisCli(d.port, 'GET', key) || null;
  d.ttl = async (key) => Number(redisCli(d.port, 'TTL', key));
  return d;
}

const visible = (key) => [...Buffer.from(key)].map((byte) =>
  (byte > 0x20 && byte < 0x7f && byte !== 0x25 ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)).join('');

/* One command of the text protocol, until the line that ends its answer. */
function memcachedSays(port, command) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    const socket = net.connect(port, '127.0.0.1', () => socket.write(`${command}\r\n`))
      .on('error', reject)
      .on('data', (chunk) => {
        chunks.push(chunk);
        const text = Buffer.concat(chunks).toString();
        if (/(^|\r\n)(END|EN|HD.*)\r\n$/.test(text)) {
          socket.destroy();
          resolve(text);
        }
      });
  });
}

async function startMemcached() {
  const user = process.getuid() === 0 ? ['-u', 'nobody'] : [];
  const d = await daemon('/usr/bin/memcached', (port) => ['-l', '127.0.0.1', '-p', String(port), '-U', '0', '-m', '64', ...user]);
  d.url = `memcached://127.0.0.1:${d.port}`;
  d.get = async (key) => /^VALUE [^\r]*\r\n(.*)\r\nEND\r\n$/s.exec(await memcachedSays(d.port, `get ${visible(key)}`))?.[1] ?? null;
  d.ttl = async (key) => Number(/ t(-?\d+)/.exec(await memcachedSays(d.port, `mg ${visible(key)} t`))[1]);
  return d;
}

/* By their names in a URL. */
export const caches = { redis: startRedis, memcached: startMemcached };
export const keyOf = (sku) => `onhand:availability:default:${sku}`;
