/* The facts without which a figure says nothing. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { run } from './processes.mjs';
import { median } from './statistics.mjs';

const PAGE = 4096;
const FILE_PAGES = 4096;
const SYNC_MS = 1000;

const unknown = () => 'unknown';
const said = (argv) => run(argv).then((text) => text.trim(), unknown);

/* systemd-detect-virt ends with 1 where there is none. */
const virtualisation = () => said(['sh', '-c', 'systemd-detect-virt || test $? -eq 1']);

async function commit() {
  const name = await said(['git', 'rev-parse', '--short', 'HEAD']);
  const changed = await said(['git', 'status', '--porcelain', '--', '.', ':!bench/results']);
  return { name, dirty: changed !== '' };
}

/* How often this disk makes 4 KiB durable, one after the other: the bound of every commit. */
export function syncRate(directory, ms = SYNC_MS) {
  const file = path.join(directory, 'sync');
  const page = Buffer.alloc(PAGE, 1);
  const fd = fs.openSync(file, 'w');
  fs.writeSync(fd, Buffer.alloc(PAGE * FILE_PAGES));
  fs.fsyncSync(fd);
  const took_us = [];
  const begun = performance.now();
  while (performance.now() - begun < ms) {
    const before = performance.now();
    fs.writeSync(fd, page, 0, PAGE, (took_us.length % FILE_PAGES) * PAGE);
    fs.fdatasyncSync(fd);
    took_us.push((performance.now() - before) * 1000);
  }
  const per_second = Math.round(took_us.length * 1000 / (performance.now() - begun));
  fs.closeSync(fd);
  fs.rmSync(file);
  return { per_second, p50_us: Math.round(median(took_us)) };
}

/* `directory` is where all servers keep their data. */
export async function machineFacts(directory) {
  const [cpu] = os.cpus();
  const sync = syncRate(directory);
  const { name, dirty } = await commit();
  return {
    date: new Date().toISOString(),
    commit: `${name}${dirty ? ', with changes' : ''}`,
    processor: `${cpu.model}, ${os.cpus().length} cores`,
    memory: `${Math.round(os.totalmem() / 2 ** 30)} GiB`,
    kernel: `${os.type()} ${os.release()} ${os.arch()}`,
    virtualisation: await virtualisation(),
    disk: await said(['findmnt', '-rno', 'SOURCE,FSTYPE,OPTIONS', '-T', directory]),
    fdatasync: `${sync.per_second.toLocaleString('en-US')}/s of 4 KiB, p50 ${sync.p50_us} us`,
    load: `${os.loadavg()[0].toFixed(2)} before it began`,
  };
}
