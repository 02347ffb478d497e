// The authorization server of the end-to-end tests: npm's certified `oidc-provider` with one confidential client,
// rotating refresh tokens whose second use revokes the whole grant, and access tokens that live for seconds.
//
// Settings come from the environment:
//   PORT                 where to listen on 127.0.0.1 (0 or absent: any free port)
//   CLIENT_ID, CLIENT_SECRET, REDIRECT_URIS (separated by spaces)
//   ACCESS_TOKEN_SECONDS (6), REFRESH_TOKEN_SECONDS (90 days)
//   PERSON               the name shown by /me for whoever logs in
//
// When it listens it prints one line: {"ready":true,"issuer":"http://127.0.0.1:…"}.
// Beside the protocol it answers GET /ledger: everything it ever gave out and how its token endpoint was used, so that a
// test can count refreshes and look for leaks. It keeps nothing after it ends.

import { createServer } from 'node:http';
import { randomBytes } from 'node:crypto';
import { Provider } from 'oidc-provider';

const required = (name) => {
  const value = process.env[name];
  if (!value) {
    process.stderr.write(`${name} is not set\n`);
    process.exit(2);
  }
  return value;
};
const seconds = (name, otherwise) => {
  const value = Number(process.env[name] ?? otherwise);
  if (!Number.isInteger(value) || value < 1) {
    process.stderr.write(`${name} is no whole number of seconds\n`);
    process.exit(2);
  }
  return value;
};

const clientId = required('CLIENT_ID');
const clientSecret = required('CLIENT_SECRET');
const redirectUris = required('REDIRECT_URIS').split(/\s+/).filter(Boolean);
const accessSeconds = seconds('ACCESS_TOKEN_SECONDS', 6);
const refreshSeconds = seconds('REFRESH_TOKEN_SECONDS', 90 * 24 * 3600);
const person = process.env.PERSON ?? 'Jane Doe';

// The adapter that ships with the library forgets the oldest of a thousand entries; a long test must lose nothing.
const kept = new Map();
class Store {
  constructor(model) {
    this.model = model;
  }

  key(id) {
    return `${this.model}:${id}`;
  }

  async upsert(id, payload, expiresIn) {
    const until = typeof expiresIn === 'number' ? Date.now() + expiresIn * 1000 : Infinity;
    kept.set(this.key(id), { payload, until });
  }

  async find(id) {
    const entry = kept.get(this.key(id));
    return entry && entry.until > Date.now() ? entry.payload : undefined;
  }

  async first(test) {
    for (const [key, { payload, until }] of kept) {
      if (key.startsWith(`${this.model}:`) && until > Date.now() && test(payload)) return payload;
    }
    return undefined;
  }

  async findByUid(uid) {
    return this.first((payload) => payload.uid === uid);
  }

  async findByUserCode(userCode) {
    return this.first((payload) => payload.userCode === userCode);
  }

  async consume(id) {
    const entry = kept.get(this.key(id));
    if (entry) entry.payload.consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    kept.delete(this.key(id));
  }

  async revokeByGrantId(grantId) {
    for (const [key, { payload }] of kept) if (payload.grantId === grantId) kept.delete(key);
  }
}

const ledger = { issuer: '', logins: 0, issued: [], calls: [], revoked_grants: 0 };

const listener = createServer();
listener.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${listener.address().port}`;
  const provider = new Provider(issuer, {
    adapter: Store,
    clients: [{
      client_id: clientId,
      client_secret: clientSecret,
      redirect_uris: redirectUris,
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
    }],
    cookies: { keys: [randomBytes(32).toString('hex')] },
    claims: { openid: ['sub'], profile: ['name'] },
    features: { devInteractions: { enabled: true }, revocation: { enabled: true } },
    findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id, name: person }) }),
    issueRefreshToken: (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    rotateRefreshToken: true,
    expiresWithSession: () => false,
    ttl: {
      AccessToken: accessSeconds,
      AuthorizationCode: 300,
      Grant: refreshSeconds,
      IdToken: 3600,
      Interaction: 3600,
      RefreshToken: refreshSeconds,
      Session: refreshSeconds,
    },
  });

  provider.on('grant.revoked', () => { ledger.revoked_grants += 1; });
  provider.use(async (ctx, next) => {
    if (ctx.path === '/ledger') {
      ctx.body = ledger;
      return;
    }
    await next();
    if (ctx.path === '/token' && ctx.method === 'POST') note(ctx);
    const code = String(ctx.response.get('location') ?? '').match(/[?&]code=([^&]+)/);
    if (code) {
      ledger.logins += 1;
      ledger.issued.push({ kind: 'code', value: decodeURIComponent(code[1]) });
    }
  });

  listener.on('request', provider.callback());
  ledger.issuer = issuer;
  process.stdout.write(`${JSON.stringify({ ready: true, issuer })}\n`);
});

function note(ctx) {
  const answer = ctx.body ?? {};
  ledger.calls.push({
    at: Date.now(),
    grant_type: ctx.oidc?.params?.grant_type,
    status: ctx.status,
    error: answer.error,
    error_description: answer.error_description,
  });
  for (const kind of ['access_token', 'refresh_token', 'id_token']) {
    if (answer[kind]) ledger.issued.push({ kind, value: answer[kind] });
  }
}

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(0));
listener.on('error', (error) => {
  process.stderr.write(`cannot listen: ${error.message}\n`);
  process.exit(1);
});
