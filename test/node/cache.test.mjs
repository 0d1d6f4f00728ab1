/* The cache beside availability: what other programs find there, that its end changes nothing, and what a new node has of it. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { abandonServers, api, assertProblem, launchServer, send, startServer, stopServer, until } from './harness.mjs';
import { caches, freePort, keyOf, startNats } from './caches.mjs';

const SHELF = ['plain', 'with blanks', '100% "odd" \\ {}', 'Grüner Tee €'];

const target = (sku) => `/v1/availability/${encodeURIComponent(sku)}`;
const shown = async (server, sku) => (await send(server, 'GET', target(sku))).text;
const metric = async (server, name) => Number(new RegExp(`^${name} (.*)$`, 'm').exec((await send(server, 'GET', '/metrics')).text)?.[1]);

/* Until the cache has what the server shows, to the byte. */
const cached = (cache, server, sku) => until(async () => (await cache.get(keyOf(sku))) === (await shown(server, sku)), `${sku} in the cache`);

/* The same process, as another role: the launcher knows `serve` only. */
const asRole = (role) => ['/bin/sh', '-c', `program=$1; shift 2; exec "$program" ${role} "$@"`, 'sh'];
const startRole = async (role, ...args) => {
  const server = launchServer({ wrap: asRole(role), args });
  await server.ready;
  return server;
};

for (const [name, start] of Object.entries(caches)) {
  describe(`${name} beside serve`, () => {
    let cache;
    let server;
    let client;

    before(async () => {
      cache = await start();
      server = await startServer({ args: ['--cache', cache.url] });
      client = await api(server);
      await client.stock(Object.fromEntries(SHELF.map((sku) => [sku, { leeds: 10, york: 5 }])));
    });

    after(async () => {
      client?.close();
      await abandonServers();
      await cache?.kill();
    });

    const take = (sku) => client.reserve([{ sku, quantity: 1 }], {}, { status: 201 });

    test('other programs find the bytes of the API under the key of a SKU, whatever it is made of', async () => {
      for (const sku of SHELF) {
        await cached(cache, server, sku);
        assert.equal(JSON.parse(await cache.get(keyOf(sku))).sku, sku);
        const ttl = await cache.ttl(keyOf(sku));
        assert.ok(ttl > 1800 && ttl <= 3600, `${ttl} s are left`);
      }
    });

    test('each change comes there', async () => {
      for (let i = 0; i < 5; i++) {
        const { json } = await take(SHELF[i % 2]);
        await until(async () => JSON.parse(await cache.get(keyOf(SHELF[i % 2]))).seq === json.seq, 'the change in the cache');
        await cached(cache, server, SHELF[i % 2]);
      }
      assert.equal(await metric(server, 'onhand_cache_up'), 1);
      assert.ok(await metric(server, 'onhand_cache_writes_total') >= 5);
      await until(async () => (await metric(server, 'onhand_cache_dirty')) === 0, 'nothing is dirty');
    });

    for (const [how, away, back] of [['killed', 'kill', 'start'], ['stopped', 'freeze', 'thaw']]) {
      test(`one that is ${how} changes no answer and no decision, and has everything again when it is back`, async () => {
        await cache[away]();
        for (let i = 0; i < 20; i++) {
          const { json } = await take('plain');
          const answer = await client.get(`${target('plain')}?min_seq=${json.seq}`, { status: 200 });
          assert.equal(answer.json.seq, json.seq);
          assert.equal(answer.json.stale, undefined);
          await client.post('/v1/receipts', { lines: [{ sku: 'plain', location: 'leeds', quantity: 1 }] }, { status: 201 });
        }
        assertProblem(await client.get('/v1/availability/never'), 404, 'not_found');
        await until(async () => (await metric(server, 'onhand_cache_up')) === 0, 'it is noticed');
        assert.equal(await metric(server, 'onhand_cache_dirty'), 1, 'one SKU changed, however often');
        assert.ok(await metric(server, 'onhand_cache_failures_total') > 0);
        await cache[back]();
        for (const sku of SHELF) {
          await cached(cache, server, sku);
        }
        await until(async () => (await metric(server, 'onhand_cache_dirty')) === 0, 'nothing is dirty');
      });
    }

    test('what changed last is there after a clean stop', async () => {
      const { json } = await take('plain');
      const last = (await client.get(`${target('plain')}?min_seq=${json.seq}`, { status: 200 })).text;
      await stopServer(server);
      assert.equal(await cache.get(keyOf('plain')), last);
    });
  });

  describe(`${name} beside a new availability node`, () => {
    let cache;
    let nats;
    let inventory;
    let node;
    let bus;
    let inventoryPort;

    const startInventory = (data) => {
      inventory = launchServer({ wrap: asRole('inventory'), args: ['--store', 'sqlite', '--bus', bus, '--advertise', `http://127.0.0.1:${inventoryPort}`], data, variables: { ONHAND_STORE: 'sqlite' } });
      return inventory.ready;
    };

    before(async () => {
      [cache, nats, inventoryPort] = [await start(), await startNats(), await freePort()];
      bus = `nats://127.0.0.1:${nats.port}`;
    });

    after(async () => {
      await abandonServers();
      await cache?.kill();
      await nats?.kill();
    });

    const startNode = (url) => startRole('availability', '--cache', cache.url, '--bus', bus, '--inventory', url);
    let truth;

    test('the most read SKUs are listed', async () => {
      await startInventory();
      const client = await api(inventory);
      await client.stock({ hot: { leeds: 9 }, 'as hot €': { leeds: 1 }, cold: { leeds: 4 } });
      client.close();
      node = await startNode(inventory.url);
      /* `cold` is not read at the node, else it might become a hot one. */
      for (const [sku, quantity] of [['hot', 9], ['as hot €', 1], ['cold', 4]]) {
        await until(async () => JSON.parse((await cache.get(keyOf(sku))) ?? '{}').quantity === quantity, `${sku} in the cache`);
      }
      await cached(cache, node, 'hot');
      truth = JSON.parse(await shown(node, 'hot'));
      assert.equal(truth.stale, undefined);
      await until(async () => {
        for (let i = 0; i < 100; i++) {
          await shown(node, 'hot');
          await shown(node, 'as hot €');
        }
        const list = JSON.parse((await cache.get('onhand:hot:default')) ?? '{"skus":[]}');
        return list.skus.filter(({ sku }) => ['hot', 'as hot €'].includes(sku)).length === 2;
      }, 'the list names both', 60000);
    });

    test('with everything else away it shows them as stale, asks for others, and denies none', async () => {
      await stopServer(node);
      await stopServer(inventory);
      await nats.kill();
      node = await startNode(`http://127.0.0.1:${await freePort()}`);
      const client = await api(node);
      const first = await until(async () => {
        const answer = await client.get(target('hot'));
        assert.ok([200, 503].includes(answer.status), answer.text);
        return answer.status === 200 && answer;
      }, 'the hot SKU');
      assert.deepEqual(first.json, { ...truth, stale: true, age_ms: null });
      assert.equal(first.headers['cache-control'], 'no-store');
      const many = await Promise.all(Array.from({ length: 50 }, () => client.get(target('cold'), { status: 200 })));
      assert.deepEqual([...new Set(many.map(({ json }) => `${json.sku} ${json.stale} ${json.quantity}`))], ['cold true 4']);
      assertProblem(await client.get(target('never')), 503, 'stale');
      assertProblem(await client.get('/v1/availability?sku=hot&sku=never'), 503, 'stale');
      assertProblem(await client.get('/v1/availability/stream?sku=never'), 503, 'stale');
      await until(async () => (await client.get(target('as hot €'))).status === 200, 'the other hot one');
      const list = await until(async () => {
        const answer = await client.get(`/v1/availability?sku=hot&sku=${encodeURIComponent('as hot €')}`);
        return answer.status === 200 && answer.json;
      }, 'the list of both');
      assert.deepEqual([list.data.map(({ sku }) => sku), list.unknown, list.stale, list.age_ms], [['hot', 'as hot €'], [], true, null]);
      assert.equal((await send(node, 'GET', '/readyz')).status, 503);
      assert.ok(await metric(node, 'onhand_cache_hits_total') > 50);
      assert.ok(await metric(node, 'onhand_cache_misses_total') > 0);
      client.close();
    });

    test('without the cache too it keeps what it was told, and denies nothing', async () => {
      const client = await api(node);
      await cache.kill();
      assertProblem(await client.get(target('cold')), 503, 'stale'); /* the question that fails is the first to notice */
      await until(async () => (await metric(node, 'onhand_cache_up')) === 0, 'it is noticed');
      assertProblem(await client.get(target('cold')), 503, 'stale');
      assert.equal((await client.get(target('hot'), { status: 200 })).json.stale, true);
      client.close();
    });

    test('when it knows everything its memory is the truth, cache or no cache', async () => {
      await nats.start();
      await stopServer(node);
      await startInventory(inventory.data);
      node = await startNode(inventory.url);
      const client = await api(node);
      await until(async () => (await client.get(target('never'))).status === 404, 'the node is sure', 30000);
      assert.deepEqual((await client.get(target('hot'), { status: 200 })).json, truth);
      assertProblem(await client.get('/v1/availability/stream?sku=never'), 404, 'not_found');
      assert.deepEqual((await client.get('/v1/availability?sku=never', { status: 200 })).json.unknown, ['never']);
      await cache.start();
      await cached(cache, node, 'cold');
      client.close();
      await stopServer(node);
      await stopServer(inventory);
    });
  });
}

test('a cache that is none is refused', async () => {
  for (const url of ['elsewhere', 'redis://', 'redis://h/x', 'redis://h:0', 'memcached://h/1', 'memcached://user:tell-nobody@h', 'rediss://h']) {
    const server = launchServer({ args: ['--cache', url] });
    const { code } = await server.exited;
    assert.equal(code, 78, server.output);
    assert.match(server.output, /cache: neither/);
    assert.doesNotMatch(server.output, /tell-nobody/);
  }
});
