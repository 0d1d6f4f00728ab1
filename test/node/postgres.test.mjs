/* The same tests of the API, and the same races, with the books in PostgreSQL. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { fileURLToPath } from 'node:url';
import { onhand, temporaryDirectory } from './harness.mjs';
import { psql, startPostgres } from './postgres.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const SAME = ['availability', 'batch', 'catalogue', 'idempotency', 'input', 'levels', 'race', 'reservations'];

let postgres;

before(async () => {
  postgres = await startPostgres();
});

after(async () => {
  await postgres.stop();
});

/* A run of its own, which must not take itself for a part of this one. */
function runFile(name) {
  const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
  const child = spawn(process.execPath, ['--test', path.join(here, `${name}.test.mjs`)],
    { env: { ...environment, ONHAND_TEST_POSTGRES: postgres.directory }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
  }
  return new Promise((resolve) => { child.on('close', (code) => resolve({ code, output })); });
}

for (const name of SAME) {
  test(`${name}.test.mjs on PostgreSQL`, async () => {
    const { code, output } = await runFile(name);
    assert.equal(code, 0, output);
    assert.match(output, /^# fail 0$/m);
    assert.match(output, /^# pass [1-9]/m);
  });
}

test('the books of these runs are in PostgreSQL', () => {
  const databases = psql(postgres.directory, 'postgres', "SELECT datname FROM pg_database WHERE datname LIKE 'onhand-test-%'").split('\n');
  const movements = databases.map((name) => Number(psql(postgres.directory, name, 'SELECT count(*) FROM onhand.movement')));
  assert.ok(movements.filter((count) => count > 0).length >= SAME.length / 2, `${movements}`);
});

test('a server that does not sync commits is refused, unless told otherwise', () => {
  psql(postgres.directory, 'postgres', 'ALTER ROLE postgres SET synchronous_commit = off');
  const store = `postgresql://postgres@/postgres?host=${postgres.directory}`;
  const serve = (...args) => onhand('serve', '--port', '0', '--data', temporaryDirectory(), '--store', store, ...args);
  const { status, stderr } = serve();
  psql(postgres.directory, 'postgres', 'ALTER ROLE postgres RESET synchronous_commit');
  assert.equal(status, 78);
  assert.match(stderr, /synchronous_commit off/);
});

test('a store that cannot be reached, or is none, is said without its password', () => {
  for (const store of ['postgresql://shop:secret@127.0.0.1:1/x', 'mysql://shop:secret@127.0.0.1/x']) {
    const { status, stderr, stdout } = onhand('serve', '--port', '0', '--data', temporaryDirectory(), '--store', store);
    assert.equal(status, 78, stderr);
    assert.doesNotMatch(stderr + stdout, /secret/);
  }
});
