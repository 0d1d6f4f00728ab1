/* Bad input: a clear refusal, and the stock exactly as it was. */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { api, assertProblem, finish, newKey, sendRaw, startServer } from './harness.mjs';

let server;
let client;
let state;

before(async () => {
  server = await startServer();
  client = await api(server);
  await client.stock({ IN: { leeds: 100 }, IN2: { leeds: 100 } });
});

beforeEach(async () => {
  state = await client.state(['IN', 'IN2']);
});

afterEach(async () => {
  assert.deepEqual(await client.state(['IN', 'IN2']), state, 'a refused request changes nothing');
});

after(async () => {
  client.close();
  await finish(server);
});

const raw = (text, headers = {}) => client.request('POST', '/v1/reservations', { raw: text, headers });
const line = (quantity) => `{"lines":[{"sku":"IN","quantity":${quantity}}]}`;

const MALFORMED = {
  'nothing': '',
  'a half body': '{"lines":[{"sku":"IN","quantity":1}]',
  'bytes after the end': `${line(1)} x`,
  'a second value': `${line(1)}${line(1)}`,
  'a comment': `/* hi */${line(1)}`,
  'single quotes': "{'lines':[]}",
  'NaN': line('NaN'),
  'Infinity': line('Infinity'),
  'a number with a leading zero': line('01'),
  'a number with a plus': line('+1'),
  'a hexadecimal number': line('0x1'),
  'a duplicate member': '{"lines":[{"sku":"IN","quantity":1,"quantity":2}]}',
  'a duplicate member in other spelling': '{"lines":[{"sku":"IN","quantity":1,"\\u0071uantity":2}]}',
  'a lone surrogate': '{"lines":[{"sku":"IN","quantity":1}],"reference":"\\ud800"}',
  'broken UTF-8': Buffer.concat([Buffer.from('{"lines":[{"sku":"IN","quantity":1}],"reference":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]),
  'overlong UTF-8': Buffer.concat([Buffer.from('{"lines":[{"sku":"IN","quantity":1}],"reference":"'), Buffer.from([0xc0, 0xaf]), Buffer.from('"}')]),
  'a byte-order mark': Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(line(1))]),
  'nesting that is too deep': `${'{"lines":'.repeat(40)}1${'}'.repeat(40)}`,
  'very deep arrays': '['.repeat(30000),
  'a raw control character': '{"lines":[{"sku":"IN","quantity":1}],"reference":"a\nb"}',
};
for (const [what, text] of Object.entries(MALFORMED)) {
  test(`JSON: ${what} is malformed`, async () => {
    assertProblem(await raw(text), 400, 'malformed');
  });
}

for (const quantity of ['0', '-1', '1.5', '1.0', '1e2', '"5"', 'null', 'true', '[1]', '{}', '1000001', '2147483648',
  '9223372036854775808', '-9223372036854775809', '18446744073709551617', `1${'0'.repeat(400)}`, '1e400']) {
  test(`a quantity of ${quantity.length > 30 ? '10^400' : quantity} is not valid`, async () => {
    const answer = await raw(line(quantity));
    assertProblem(answer, 422, 'invalid');
    assert.ok(Array.isArray(answer.json.errors) && answer.json.errors.length > 0, 'the refusal points at what is wrong');
  });
}

test('an error points at the member by JSON Pointer', async () => {
  const answer = await client.post('/v1/reservations', { lines: [{ sku: 'IN', quantity: 1 }, { sku: 'IN', quantity: 0 }], ttl_s: 0 });
  assertProblem(answer, 422, 'invalid');
  assert.deepEqual(answer.json.errors.map(({ pointer }) => pointer).sort(), ['/lines/1/quantity', '/ttl_s']);
});

const INVALID = {
  'an array': '[]',
  'a string': '"x"',
  'no lines': '{}',
  'lines that are null': '{"lines":null}',
  'lines that are empty': '{"lines":[]}',
  'a line that is a number': '{"lines":[1]}',
  'a line without quantity': '{"lines":[{"sku":"IN"}]}',
  'a line without SKU': '{"lines":[{"quantity":1}]}',
  '101 lines': JSON.stringify({ lines: Array.from({ length: 101 }, () => ({ sku: 'IN', quantity: 1 })) }),
  'an unknown member': '{"lines":[{"sku":"IN","quantity":1}],"status":"committed"}',
  'a member that only the server sets': '{"lines":[{"sku":"IN","quantity":1}],"expires_at":"2099-01-01T00:00:00.000Z"}',
  'an unknown member in a line': '{"lines":[{"sku":"IN","quantity":1,"price":0}]}',
  'an empty SKU': '{"lines":[{"sku":"","quantity":1}]}',
  'a SKU of 65 bytes': JSON.stringify({ lines: [{ sku: 'x'.repeat(65), quantity: 1 }] }),
  'a SKU with a line break': '{"lines":[{"sku":"IN\\r\\nSet-Cookie: a","quantity":1}]}',
  'a SKU with NUL': '{"lines":[{"sku":"IN\\u0000","quantity":1}]}',
  'a SKU with a direction override': '{"lines":[{"sku":"IN\\u202e","quantity":1}]}',
  'a SKU that begins with a space': '{"lines":[{"sku":" IN","quantity":1}]}',
  'a SKU that ends with a space': '{"lines":[{"sku":"IN ","quantity":1}]}',
  'a SKU that is a number': '{"lines":[{"sku":5,"quantity":1}]}',
  'a location with a space': '{"lines":[{"sku":"IN","quantity":1,"location":"a b"}]}',
  'a reference that is too long': JSON.stringify({ lines: [{ sku: 'IN', quantity: 1 }], reference: 'x'.repeat(129) }),
  'a reference with a control character': '{"lines":[{"sku":"IN","quantity":1}],"reference":"a\\u0007"}',
};
for (const [what, text] of Object.entries(INVALID)) {
  test(`${what} is not valid`, async () => {
    const answer = await raw(text);
    /* NUL in a string may be refused by the parser already. */
    if (what.includes('NUL') && answer.status === 400) {
      assertProblem(answer, 400, 'malformed');
    } else {
      assertProblem(answer, 422, 'invalid');
    }
  });
}

for (const ttl of ['0', '-1', '86401', '1000000000', '1.5', '"900"', 'null']) {
  test(`a time to live of ${ttl} is not valid`, async () => {
    assertProblem(await raw(`{"lines":[{"sku":"IN","quantity":1}],"ttl_s":${ttl}}`), 422, 'invalid');
  });
}

test('a delta is a whole number other than 0', async () => {
  for (const delta of ['0', '1.5', '"1"', 'null', '1000001', '-1000001', '9223372036854775808']) {
    const text = `{"lines":[{"sku":"IN","location":"leeds","quantity":"on_hand","delta":${delta}}],"reason":"x"}`;
    assertProblem(await client.request('POST', '/v1/adjustments', { raw: text }), 422, 'invalid');
  }
});

test('a set names at least one quantity, none below 0, none that belongs to reservations', async () => {
  for (const body of [{}, { on_hand: -1 }, { reserved: 1 }, { committed: 0 }, { available: 5 }, { on_hand: null }, { on_hand: 1.5 }]) {
    assertProblem(await client.put('/v1/levels/IN/leeds', body, { headers: { 'If-Match': '*' } }), 422, 'invalid');
  }
});

test('an If-Match that is no version is refused', async () => {
  for (const tag of ['"x"', '"-1"', '"1', 'abc', '""']) {
    const { status } = await client.put('/v1/levels/IN/leeds', { on_hand: 1 }, { headers: { 'If-Match': tag } });
    assert.ok([400, 412].includes(status), `If-Match: ${tag} answers ${status}`);
  }
});

test('names and attributes have their limits', async () => {
  for (const body of [{}, { name: '' }, { name: 5 }, { name: 'x'.repeat(257) }, { name: 'x', attributes: [] }, { name: 'x', attributes: 'x' },
    { name: 'x', attributes: { a: 'x'.repeat(4100) } }, { name: 'x', sku: 'other' }, { name: 'a\u0000b' }, { name: 'x', extra: 1 }]) {
    const answer = await client.put('/v1/items/LIMIT', body);
    assert.ok([400, 422].includes(answer.status), `${JSON.stringify(body).slice(0, 60)} answers ${answer.status}`);
  }
  assertProblem(await client.get('/v1/items/LIMIT'), 404, 'not_found');
});

test('a SKU in the path follows the same rules as one in a body', async () => {
  for (const sku of ['x'.repeat(65), '%20a', 'a%20', '%E2%80%AEa', 'a%0D%0ASet-Cookie:%20x', '%07']) {
    const answer = await client.put(`/v1/items/${sku}`, { name: 'Bad' });
    assert.ok([400, 404, 422].includes(answer.status), `${sku} answers ${answer.status}`);
    assert.equal(answer.headers['set-cookie'], undefined);
  }
});

test('a broken path is malformed', async () => {
  for (const target of ['/v1/items/%00', '/v1/items/%ZZ', '/v1/items/%C3%28', '/v1/items/%C0%AF', '/v1/items/%2']) {
    const { status } = await client.get(target);
    assert.equal(status, 400, `${target} answers ${status}`);
  }
});

test('paths that try to climb out find nothing', async () => {
  for (const target of ['/../../etc/passwd', '/%2e%2e/%2e%2e/etc/passwd', '/shelf.js/../../meson.build', '//etc/passwd', '/v1//items']) {
    const { status, text } = await client.get(target);
    assert.ok([400, 404].includes(status), `${target} answers ${status}`);
    assert.ok(!text.includes('root:'));
  }
});

test('a reservation id that is no UUID is not found or not valid', async () => {
  for (const id of ['x', '123', "1'%20OR%201=1", '0190000000007000800000000000000', 'x'.repeat(200)]) {
    const { status } = await client.get(`/v1/reservations/${id}`);
    assert.ok([400, 404, 422].includes(status), `${id} answers ${status}`);
  }
});

test('a body must be application/json', async () => {
  for (const type of [undefined, 'text/plain', 'application/x-www-form-urlencoded', 'application/xml', 'application/jsonp', 'multipart/form-data; boundary=x']) {
    assertProblem(await raw(line(1), { 'Content-Type': type }), 415, 'unsupported_media_type');
  }
  assertProblem(await raw(line(1), { 'Content-Encoding': 'gzip' }), 415, 'unsupported_media_type');
});

test('a body that is too large is refused before it is read', async () => {
  for (const [target, bytes] of [['/v1/reservations', 64 * 1024 + 1], ['/v1/batch', 1024 * 1024 + 1], ['/v1/items/IN', 1e15]]) {
    const method = target.includes('items') ? 'PUT' : 'POST';
    const { text, closed } = await sendRaw(server,
      `${method} ${target} HTTP/1.1\r\nHost: x\r\nIdempotency-Key: big\r\nContent-Type: application/json\r\nContent-Length: ${bytes}\r\n\r\n{`);
    assert.match(text, /^HTTP\/1\.1 413 /, text.slice(0, 100));
    assert.match(text, /"code":"too_large"/);
    assert.ok(closed);
  }
});

test('a chunked body that grows too large is refused', async () => {
  const head = 'POST /v1/reservations HTTP/1.1\r\nHost: x\r\nIdempotency-Key: big\r\nContent-Type: application/json\r\n'
    + 'Transfer-Encoding: chunked\r\n\r\n';
  const { text } = await sendRaw(server, head + `1000\r\n${' '.repeat(4096)}\r\n`.repeat(17) + '0\r\n\r\n');
  assert.match(text, /^HTTP\/1\.1 413 /, text.slice(0, 100));
});

test('a body just below the limit is read', async () => {
  const body = `{"lines":[],"ttl_s":5}${' '.repeat(64 * 1024 - 30)}`;
  assertProblem(await raw(body), 422, 'invalid');
});

test('a body on an address that takes none is refused or ignored, and only one answer comes', async () => {
  const { text } = await sendRaw(server, `GET /v1/items/IN HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`);
  assert.equal(text.match(/HTTP\/1\.1 /g).length, 1);
});

test('an expectation other than 100-continue is refused', async () => {
  const { text } = await sendRaw(server, `GET /v1/items/IN HTTP/1.1\r\nHost: x\r\nExpect: coffee\r\nConnection: close\r\n\r\n`);
  assert.match(text, /^HTTP\/1\.1 417 /);
});

/* The refused request carries a second one, which must never be answered. */
const SMUGGLED = 'GET /v1/items/IN2 HTTP/1.1\r\nHost: x\r\n\r\n';
const BODY = line(1);
const post = (lines, body = BODY) =>
  `POST /v1/reservations HTTP/1.1\r\n${lines.join('\r\n')}\r\nIdempotency-Key: ${newKey()}\r\nContent-Type: application/json\r\n\r\n${body}`;
const length = `Content-Length: ${BODY.length}`;
const FRAMING = {
  'Content-Length beside Transfer-Encoding': () => post(['Host: x', length, 'Transfer-Encoding: chunked'], `0\r\n\r\n${SMUGGLED}`),
  'two different Content-Length': () => post(['Host: x', length, 'Content-Length: 0'], BODY + SMUGGLED),
  'the same Content-Length twice': () => post(['Host: x', length, length], BODY + SMUGGLED),
  'Content-Length with a plus': () => post(['Host: x', `Content-Length: +${BODY.length}`], BODY + SMUGGLED),
  'a negative Content-Length': () => post(['Host: x', 'Content-Length: -1'], BODY + SMUGGLED),
  'a hexadecimal Content-Length': () => post(['Host: x', 'Content-Length: 0x22'], BODY + SMUGGLED),
  'a list as Content-Length': () => post(['Host: x', 'Content-Length: 5,5'], BODY + SMUGGLED),
  'a huge Content-Length': () => post(['Host: x', 'Content-Length: 99999999999999999999'], BODY + SMUGGLED),
  'an unknown Transfer-Encoding': () => post(['Host: x', 'Transfer-Encoding: xchunked'], BODY + SMUGGLED),
  'chunked before gzip': () => post(['Host: x', 'Transfer-Encoding: chunked, gzip'], BODY + SMUGGLED),
  'no Host': () => post([length], BODY + SMUGGLED),
  'two Hosts': () => post(['Host: x', 'Host: y', length], BODY + SMUGGLED),
  'a chunk size that is no number': () => post(['Host: x', 'Transfer-Encoding: chunked'], `zz\r\n${BODY}\r\n0\r\n\r\n${SMUGGLED}`),
  'a chunk size with a sign': () => post(['Host: x', 'Transfer-Encoding: chunked'], `-1\r\n${BODY}\r\n0\r\n\r\n${SMUGGLED}`),
  'a header without a colon': () => post(['Host: x', 'nonsense', length], BODY + SMUGGLED),
  'a space before the colon': () => post(['Host: x', `Content-Length : ${BODY.length}`], BODY + SMUGGLED),
  'a method of odd characters': () => `P(ST / HTTP/1.1\r\nHost: x\r\n\r\n${SMUGGLED}`,
};
for (const [what, bytes] of Object.entries(FRAMING)) {
  test(`framing: ${what} is refused and the connection closed, with no second answer`, async () => {
    const { text, closed } = await sendRaw(server, bytes());
    assert.ok(text === '' || /^HTTP\/1\.[01] [45]\d\d /.test(text), `it was answered: ${text.slice(0, 300)}`);
    assert.ok(closed, `the connection stays open after: ${text.slice(0, 200)}`);
    assert.ok(answersIn(text) <= 1, `two answers: ${text}`);
  });
}

/*
 * libmicrohttpd 0.9.75 repeats the head of a refusal that it makes by itself, before our code sees the request: the same
 * bytes twice in a row, then one body and the end of the connection. That is one refusal; anything else counts.
 */
function answersIn(text) {
  const [first, second] = text.split(/(?<=\r\n\r\n)/);
  const once = second !== undefined && first === second && /^Connection: close\r$/m.test(first) ? text.slice(first.length) : text;
  return (once.match(/HTTP\/1\.[01] \d\d\d /g) ?? []).length;
}

test('a request line or headers beyond all measure are refused', async () => {
  for (const bytes of [`GET /v1/items/${'x'.repeat(100000)} HTTP/1.1\r\nHost: x\r\n\r\n`, `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(200000)}\r\n\r\n`]) {
    const { text, closed } = await sendRaw(server, bytes);
    assert.ok(text === '' || /^HTTP\/1\.[01] (400|413|414|431) /.test(text), text.slice(0, 200));
    assert.ok(closed);
  }
});

test('garbage is not answered with success', async () => {
  for (const bytes of ['\0\0\0\0\r\n\r\n', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 'HELO there\r\n\r\n']) {
    const { text } = await sendRaw(server, bytes, { wait_ms: 500 });
    assert.ok(!/^HTTP\/1\.[01] 2/.test(text), text.slice(0, 200));
  }
});
