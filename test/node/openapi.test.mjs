/* The document that the server prints about itself, judged by two independent linters. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, test } from 'node:test';
import { api, send, startServer, stopServer, temporaryDirectory } from './harness.mjs';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const directory = temporaryDirectory();
const file = path.join(directory, 'openapi.json');
let document;

before(async () => {
  const server = await startServer();
  const client = await api(server);
  document = (await client.get('/openapi.json', { status: 200 })).json;
  fs.writeFileSync(file, (await send(server, 'GET', '/openapi.json')).text);
  client.close();
  await stopServer(server);
});

after(() => fs.rmSync(directory, { recursive: true, force: true }));

/* Runs a tool of node_modules/.bin; nothing leaves the machine. */
function tool(name, ...args) {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true', CI: '1' };
    const child = spawn(path.join(root, 'node_modules/.bin', name), args, { cwd: directory, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, output }));
  });
}

test('redocly finds no error', async () => {
  fs.writeFileSync(path.join(directory, 'redocly.yaml'), 'extends: [recommended]\n');
  const { status, output } = await tool('redocly', 'lint', '--config', 'redocly.yaml', 'openapi.json');
  assert.equal(status, 0, output);
});

test('spectral finds no error', async () => {
  fs.writeFileSync(path.join(directory, 'spectral.yaml'), 'extends: ["spectral:oas"]\n');
  const { status, output } = await tool('spectral', 'lint', '--ruleset', 'spectral.yaml', '--fail-severity', 'error', 'openapi.json');
  assert.equal(status, 0, output);
});

test('it is OpenAPI 3.1, and every operation has an id, a summary and an answer for what goes wrong', () => {
  assert.match(document.openapi, /^3\.1\./);
  const ids = new Set();
  for (const [template, entry] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(entry).filter(([name]) => ['get', 'put', 'post', 'delete'].includes(name))) {
      const what = `${method} ${template}`;
      assert.match(operation.operationId, /^[a-z][A-Za-z0-9]*$/, what);
      assert.ok(!ids.has(operation.operationId), `${operation.operationId} is unique`);
      ids.add(operation.operationId);
      assert.ok(operation.summary?.length > 0, what);
      assert.ok(operation.responses.default ?? Object.keys(operation.responses).some((status) => status.startsWith('4')), what);
    }
  }
  assert.ok(ids.size >= 25, `${ids.size} operations`);
});

test('the examples of the document are valid by its own schemas', async () => {
  const { default: Ajv2020 } = await import('ajv/dist/2020.js');
  const { default: addFormats } = await import('ajv-formats');
  const ajv = new Ajv2020({ strict: false });
  addFormats(ajv);
  ajv.addSchema(document, 'openapi');
  let count = 0;
  for (const [name, schema] of Object.entries(document.components.schemas)) {
    for (const example of schema.examples ?? (schema.example === undefined ? [] : [schema.example])) {
      const check = ajv.getSchema(`openapi#/components/schemas/${name}`);
      assert.ok(check(example), `${name}: ${ajv.errorsText(check.errors)}`);
      count++;
    }
  }
  for (const entry of Object.values(document.paths)) {
    for (const operation of Object.values(entry)) {
      const media = operation.requestBody?.content?.['application/json'];
      const example = media?.example ?? Object.values(media?.examples ?? {})[0]?.value;
      if (example !== undefined && media.schema.$ref !== undefined) {
        const check = ajv.getSchema(`openapi${media.schema.$ref}`);
        assert.ok(check(example), `${operation.operationId}: ${ajv.errorsText(check.errors)}`);
        count++;
      }
    }
  }
  assert.ok(count > 0, 'there are examples');
});
