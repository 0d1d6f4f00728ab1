/* What a stream on which nothing happens costs the server's memory. */
import fs from 'node:fs';
import net from 'node:net';
import { sleep } from './processes.mjs';

const AT_A_TIME = 100;
const SETTLE_MS = 1000;

/* Of the server and its children. */
export function residentBytes(pid) {
  const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
  const children = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)[1]) * 1024 + children.reduce((sum, child) => sum + residentBytes(child), 0);
}

/* A stream is open when its answer began. */
function openStream(port, target) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('connect', () => socket.write(`GET ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n`));
    socket.on('error', reject).on('close', () => reject(new Error('the server closed a stream')));
    socket.once('data', (chunk) => {
      if (chunk.toString().startsWith('HTTP/1.1 200')) {
        resolve(socket);
      } else {
        reject(new Error(`a stream was answered with ${chunk.toString().split('\r\n')[0]}`));
      }
    });
  });
}

/* The server's resident memory, before and with that many streams. */
export async function measureIdle({ port, pid }, target, streams) {
  const open = [await openStream(port, target)]; /* what the first one sets up is not a stream's */
  await sleep(SETTLE_MS);
  const before = residentBytes(pid);
  try {
    while (open.length <= streams) {
      const count = Math.min(AT_A_TIME, streams + 1 - open.length);
      open.push(...await Promise.all(Array.from({ length: count }, () => openStream(port, target))));
    }
    await sleep(SETTLE_MS);
    const bytes = residentBytes(pid) - before;
    return { streams, resident_bytes: bytes, bytes_per_stream: bytes / streams };
  } finally {
    open.forEach((socket) => socket.destroy());
  }
}
