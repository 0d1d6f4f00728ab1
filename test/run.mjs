/*
 * Runs every file of node/ against the binary ($ONHAND_BIN, default ../build/onhand), one after the other, and prints
 * a short line for each test. The last line is `# pass N fail M`; the exit code is 1 when anything failed.
 *
 *   node run.mjs [part of a file name ...]
 *   node run.mjs --services [part of a file name ...]   those of services/ instead, and what they measured
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { run } from 'node:test';
import { fileURLToPath } from 'node:url';
import { api, startServer, stopServer } from './node/harness.mjs';

const FILE_MS_MAX = Number(process.env.FILE_MINUTES ?? 20) * 60000;
const FIGURE = /^figure: /;
const here = path.dirname(fileURLToPath(import.meta.url));
const services = process.argv.includes('--services');
const wanted = process.argv.slice(2).filter((word) => word !== '--services');
const folder = path.join(here, services ? 'services' : 'node');
const files = fs.readdirSync(folder)
  .filter((name) => name.endsWith('.test.mjs') && (wanted.length === 0 || wanted.some((part) => name.includes(part))))
  .sort().map((name) => path.join(folder, name));
const coverage = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'onhand-coverage-')), 'operations');
fs.writeFileSync(coverage, '');
process.env.ONHAND_COVERAGE = coverage;

const count = { pass: 0, fail: 0 };

function report(ok, name, detail = '') {
  count[ok ? 'pass' : 'fail']++;
  console.log(`${ok ? 'ok    ' : 'FAILED'} ${name}${detail}`);
}

const nameOf = ({ file, name }) => (services ? name : `${path.basename(file ?? '', '.test.mjs')}: ${name}`);

function errorText({ error }) {
  const cause = error?.cause ?? error;
  return `\n       ${String(cause?.stack ?? cause).split('\n').slice(0, 14).join('\n       ')}`;
}

async function runFiles() {
  const output = [];
  for await (const { type, data } of run({ files, concurrency: 1, timeout: FILE_MS_MAX })) {
    const isSuite = data?.details?.type === 'suite';
    if (type === 'test:pass' && !isSuite && data.name !== data.file) {
      const ms = Math.round(data.details.duration_ms);
      const skipped = data.skip === undefined ? '' : ` (skipped: ${data.skip})`;
      report(true, nameOf(data), ms > 2000 ? ` (${(ms / 1000).toFixed(1)} s)` : skipped);
    } else if (type === 'test:fail' && !isSuite) {
      report(false, nameOf(data), errorText(data.details));
    } else if (type === 'test:diagnostic' && FIGURE.test(data.message)) {
      console.log(`       ${data.message.replace(FIGURE, '')}`);
    } else if (type === 'test:stderr' || type === 'test:stdout') {
      output.push(data.message);
    }
  }
  if (count.fail > 0 && output.length > 0) {
    console.log(`---- what the test files printed\n${output.join('').slice(-20000)}----`);
  }
}

/* An operation of the document that no test used is a hole in the tests. */
async function checkCoverage() {
  const server = await startServer();
  const client = await api(server);
  const exercised = new Set(fs.readFileSync(coverage, 'utf8').split('\n'));
  const missing = client.contract.operations.map((o) => o.operation.operationId).filter((id) => !exercised.has(id));
  client.close();
  await stopServer(server);
  report(missing.length === 0, 'every operation of the document was exercised', missing.length === 0 ? '' : `: not ${missing.join(', ')}`);
}

await runFiles();
if (wanted.length === 0 && !services) {
  await checkCoverage().catch((error) => report(false, 'every operation of the document was exercised', `\n${error.stack}`));
}
fs.rmSync(path.dirname(coverage), { recursive: true, force: true });
console.log(`# pass ${count.pass} fail ${count.fail}`);
process.exit(count.fail === 0 && count.pass > 0 ? 0 : 1);
