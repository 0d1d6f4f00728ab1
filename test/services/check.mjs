/*
 * What must hold once a fault is over: every node is ready, what the availability nodes show is byte for byte the same and what
 * inventory says, the history of the clients could have been, the books balance, and nothing acknowledged is missing.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import { promisify } from 'node:util';
import { api, BINARY, send, sleep, until } from '../node/harness.mjs';
import { check, SKUS } from '../node/history.mjs';
import { walk } from './load.mjs';

const CONVERGED_MS_MAX = 30000;
const LOOK_MS = 20;

async function shown(node, sku) {
  const { status, json, text } = await get(node, `/v1/availability/${sku}`);
  return { status, json, text };
}

async function get(node, target) {
  try {
    const { status, text } = await send(node, 'GET', target, { timeout_ms: 5000 });
    return { status, text, json: JSON.parse(text) };
  } catch (error) {
    return { status: 0, text: String(error), json: {} };
  }
}

/* What the books say now: the version of each SKU. */
export async function versions(cluster) {
  const sql = 'SELECT sku || \' \' || coalesce(sum(version), 0) FROM onhand.item LEFT JOIN onhand.level USING (item) GROUP BY sku';
  const rows = (await cluster.postgres.query(sql)).split('\n').filter((row) => row !== '');
  return new Map(rows.map((row) => [row.split(' ')[0], Number(row.split(' ')[1])]));
}

/* Does a node show, and vouch for, at least these versions? */
export async function hasSeen(node, wanted) {
  for (const [sku, version] of wanted) {
    const { status, json } = await shown(node, sku);
    if (status !== 200 || json.stale === true || json.version < version) {
      return false;
    }
  }
  return true;
}

/* How long after now all availability nodes show, and vouch for, everything that is in the books now. Under load as well. */
export async function convergence(cluster) {
  const begun = performance.now();
  const wanted = await versions(cluster);
  const each = cluster.availabilities.map(async (node) => {
    await until(async () => await hasSeen(node, wanted) || !(await sleep(LOOK_MS)), `${node.name} to catch up`, CONVERGED_MS_MAX);
    return Math.round(performance.now() - begun);
  });
  return Math.max(...await Promise.all(each));
}

/* The same answers everywhere, and the right ones. The levels are read before and after: a hold may expire meanwhile. */
async function difference(cluster, sku) {
  const [first, ...others] = cluster.availabilities;
  const levels = await get(first, `/v1/levels/${sku}`);
  const answer = await shown(first, sku);
  if (levels.status !== 200 || answer.status !== 200) {
    return `${sku}: ${levels.text} ${answer.text}`;
  }
  const sum = (of) => levels.json.levels.reduce((total, level) => total + of(level), 0);
  const right = { quantity: sum(({ available }) => Math.max(0, available)), version: sum(({ version }) => version) };
  const { quantity, version } = answer.json;
  if (quantity !== right.quantity || version !== right.version) {
    return `${sku}: ${first.name} shows ${answer.text}, inventory has ${levels.text}`;
  }
  for (const node of others) {
    const { text } = await shown(node, sku);
    if (text !== answer.text) {
      return `${sku}: ${first.name} shows ${answer.text}, ${node.name} ${text}`;
    }
  }
  return null;
}

export async function assertSame(cluster) {
  for (const { sku } of await walk(cluster.availabilities[0], '/v1/items')) {
    let last = null;
    await until(async () => {
      last = await difference(cluster, sku);
      return last === null;
    }, sku, CONVERGED_MS_MAX).catch((error) => {
      error.message += `\n${last}`;
      throw error;
    });
  }
}

/* The independent audit finds no difference. */
export async function assertBooks(cluster) {
  const url = `postgresql://postgres@127.0.0.1:${cluster.postgres.port}/postgres`;
  await promisify(execFile)(BINARY, ['audit', '--store', url]).catch(({ stdout, stderr }) => assert.fail(`the audit: ${stdout}${stderr}`));
}

async function assertReservations(cluster, wanted) {
  const rows = await walk(cluster.availabilities[0], '/v1/reservations');
  const there = new Set(rows.map(({ id }) => id));
  assert.deepEqual([...wanted].filter((id) => !there.has(id)), [], 'each reservation that was acknowledged is there');
}

/* Of a cluster that is whole, without load. */
export async function assertGood(cluster, load = null) {
  await cluster.ready();
  await assertSame(cluster);
  if (load !== null) {
    await load.exportAll();
    assert.match(check(load.records), /^history: \d+ operations, 0 violations\n$/);
    await assertReservations(cluster, load.reservations);
    assert.ok(load.reservations.size > SKUS.length, 'there was load');
  }
  await assertBooks(cluster);
  cluster.assertWell();
}

/* What an availability node says of itself. */
export async function health(node) {
  const { status } = await get(node, '/readyz');
  const answer = await shown(node, SKUS[0]);
  return { ready: status === 200, status: answer.status, stale: answer.json.stale === true, age_ms: answer.json.age_ms };
}

/* The body of every SKU, as one node shows it. */
export async function bodies(node) {
  const client = await api(node);
  const rows = await client.walk('/v1/items');
  client.close();
  const all = await Promise.all(rows.map(({ sku }) => shown(node, sku)));
  return all.map(({ text }) => text).join('\n');
}
