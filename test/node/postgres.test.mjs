/* The same tests of the API, and the same races, with the books in PostgreSQL. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { fileURLToPath } from 'node:url';
import { abandonServers, launchServer, onhand, startServer, stopServer, temporaryDirectory } from './harness.mjs';
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
    assert.equal(status, store.startsWith('mysql') ? 78 : 69, stderr);
    assert.doesNotMatch(stderr + stdout, /secret/);
  }
});

test('a stop does not wait for the ledger to be loaded', { timeout: 120000 }, async () => {
  const args = ['--store', `postgresql://postgres@/postgres?host=${postgres.directory}`];
  const query = (sql) => psql(postgres.directory, 'postgres', sql);
  await stopServer(await startServer({ args }));
  /* A table that takes for ever to read. */
  query('ALTER TABLE onhand.idempotency RENAME TO keys');
  query("INSERT INTO onhand.keys SELECT 1, 0, 0, 'reserve', 'k', decode(repeat('00', 32), 'hex'), 200, NULL, '{}'");
  query('CREATE VIEW onhand.idempotency AS SELECT k.* FROM onhand.keys k WHERE pg_sleep(3600) IS NOT NULL');
  const server = launchServer({ args });
  const loads = () => query("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY%' AND wait_event = 'PgSleep'") === '1';
  while (!loads()) {
    assert.equal(server.child.exitCode, null, server.output);
    await new Promise((resolve) => { setTimeout(resolve, 20); });
  }
  await stopServer(server);
  assert.equal(query('SELECT lease_until FROM onhand.partition'), '-infinity', 'the lease is given back');
  query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
  query('DROP SCHEMA onhand CASCADE');
});

test('a stop does not wait for a process that brings the schema up to date', { timeout: 120000 }, async (t) => {
  const query = (sql) => psql(postgres.directory, 'postgres', sql);
  const other = spawn('/usr/lib/postgresql/15/bin/psql', ['-h', postgres.directory, '-U', 'postgres', '-qAt', '-c',
    'SELECT pg_advisory_lock(1332627556), pg_sleep(3600)'], { stdio: 'ignore' });
  t.after(() => {
    query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
    other.kill('SIGKILL');
  });
  const until = async (condition) => {
    while (query(`SELECT count(*) FROM pg_stat_activity WHERE ${condition}`) === '0') {
      await new Promise((resolve) => { setTimeout(resolve, 20); });
    }
  };
  await until("wait_event = 'PgSleep'");
  const server = launchServer({ args: ['--store', `postgresql://postgres@/postgres?host=${postgres.directory}`] });
  await until("wait_event = 'advisory'");
  await stopServer(server);
});

test('an outage of the database pauses writes, and nothing else', { timeout: 120000 }, async (t) => {
  const own = await startPostgres();
  t.after(async () => {
    await abandonServers();
    await own.stop();
  });
  const store = `postgresql://postgres@/postgres?host=${own.directory}`;
  const server = await startServer({ args: ['--store', store] });
  const send = async (method, target, body, key) => {
    const headers = { 'Content-Type': 'application/json', ...(key === undefined ? {} : { 'Idempotency-Key': key }) };
    const response = await fetch(server.url + target, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
    const json = await response.json();
    if (response.status === 503) {
      assert.equal(json.retryable, true, JSON.stringify(json));
    }
    return { status: response.status, code: json.code, json };
  };
  const reserve = (key) => send('POST', '/v1/reservations', { lines: [{ sku: 'a', quantity: 1 }] }, key);
  const until = async (what, ask, is) => {
    for (let i = 0; ; i++) {
      const answer = await ask();
      if (is(answer)) {
        return answer;
      }
      assert.equal(answer.status, 503, JSON.stringify(answer));
      assert.ok(i < 600, `${what}: ${JSON.stringify(answer)}`);
      await new Promise((resolve) => { setTimeout(resolve, 50); });
    }
  };
  assert.equal((await send('PUT', '/v1/items/a', { name: 'A' })).status, 201);
  assert.equal((await send('PUT', '/v1/locations/w1', { name: 'W', priority: 1 })).status, 201);
  assert.equal((await send('POST', '/v1/receipts', { lines: [{ sku: 'a', location: 'w1', quantity: 5 }] }, 'receive')).status, 201);
  const first = await reserve('first');
  assert.equal(first.status, 201);

  await own.crash();
  const doubtful = await reserve('doubtful');
  assert.deepEqual([doubtful.status, doubtful.code], [503, 'outcome_unknown']);
  for (let i = 0; i < 10; i++) {
    /* The commit was waited for longer than its lease runs: it no longer answers from its memory. */
    for (const key of ['doubtful', `other-${i}`]) {
      assert.equal((await reserve(key)).code, 'no_leader');
    }
  }
  assert.equal((await send('GET', '/v1/items/a')).code, 'no_leader');
  assert.equal((await send('GET', '/v1/availability/a')).json.quantity, 4, 'what shoppers see does not need the database');
  assert.equal(server.child.exitCode, null);

  await own.startAgain();
  const again = await until('it does not come back', () => reserve('doubtful'), ({ status }) => status === 201);
  assert.deepEqual((await reserve('doubtful')).json, again.json, 'the same key tells the truth');
  assert.deepEqual((await reserve('first')).json, first.json);
  await until('reads do not come back', () => send('GET', '/v1/items/a'), ({ status }) => status === 200);
  await until('the view is behind', async () => {
    const { json } = await send('GET', '/v1/availability/a');
    return { status: json.quantity === 3 ? 200 : 503 };
  }, ({ status }) => status === 200);
  await stopServer(server);
  const { status, stdout } = onhand('audit', '--store', store);
  assert.equal(status, 0, stdout);
  assert.match(stdout, /2 reservations with 2 lines/);
  psql(own.directory, 'postgres', 'UPDATE onhand.level SET on_hand = on_hand + 1');
  assert.equal(onhand('audit', '--store', store).status, 1);
});
