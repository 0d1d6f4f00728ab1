/* Many buyers, few units. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { api, assertProblem, auditClean, startServer, stopServer } from './harness.mjs';

const BUYERS = 500;

let server;
let client;

before(async () => {
  server = await startServer();
  client = await api(server, { connections: BUYERS });
});

after(() => client.close());

async function fight(sku, quantity = 1) {
  const answers = await Promise.all(Array.from({ length: BUYERS }, () => client.reserve([{ sku, quantity }])));
  const won = answers.filter(({ status }) => status === 201);
  for (const answer of answers.filter(({ status }) => status !== 201)) {
    assertProblem(answer, 409, 'insufficient_stock');
  }
  return won;
}

test(`${BUYERS} buyers want the last unit: exactly one gets it`, async () => {
  await client.stock({ LAST: { leeds: 1 } });
  const won = await fight('LAST');
  assert.equal(won.length, 1);
  const { on_hand, reserved, available } = await client.level('LAST', 'leeds');
  assert.deepEqual({ on_hand, reserved, available }, { on_hand: 1, reserved: 1, available: 0 });
  const { json } = await client.get(`/v1/availability/LAST?min_seq=${won[0].json.seq}`, { status: 200 });
  assert.equal(json.status, 'out_of_stock');
});

test(`${BUYERS} buyers want 100 units over three places: 100 get one each`, async () => {
  await client.stock({ FEW: { leeds: 40, york: 35, hull: 25 } });
  const won = await fight('FEW');
  assert.equal(won.length, 100);
  const { json } = await client.get('/v1/levels/FEW', { status: 200 });
  assert.equal(json.available, 0);
  assert.ok(json.levels.every(({ available }) => available === 0));
});

test(`${BUYERS} buyers want three of 100: 33 get them`, async () => {
  await client.stock({ THREE: { leeds: 100 } });
  assert.equal((await fight('THREE', 3)).length, 33);
  assert.equal((await client.level('THREE', 'leeds')).available, 1);
});

test('afterwards the audit is clean', async () => {
  client.close();
  await stopServer(server);
  auditClean(server.data);
});
