// An OpenID provider on a loopback socket, for the tests of the built binary.
//
// The first line of its input is its configuration: {"lifetime": seconds,
// "clients": [metadata], "tls": {"cert", "key", "ca"}}. It prints the addresses
// of the provider and of an API for its tokens in one line of JSON, and ends when
// its input does.
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import readline from 'node:readline';
import { X509Certificate } from 'node:crypto';
import Provider from 'oidc-provider';

const input = readline.createInterface({ input: process.stdin });
const [line] = await once(input, 'line');
const config = JSON.parse(line);
input.on('close', () => process.exit(0));

async function listen(server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `127.0.0.1:${server.address().port}`;
}

// Certificates are judged by the provider, which knows the client, and not in
// the handshake.
const server = config.tls
  ? https.createServer({ ...config.tls, requestCert: true, rejectUnauthorized: false })
  : http.createServer();
const issuer = `${config.tls ? 'https' : 'http'}://${await listen(server)}`;

const provider = new Provider(issuer, {
  clients: config.clients,
  clientAuthMethods: [
    'client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt',
    ...(config.tls ? ['tls_client_auth', 'self_signed_tls_client_auth'] : []),
  ],
  scopes: ['openid', 'offline_access', 'orders.read', 'orders'],
  pkce: { required: () => false },
  issueRefreshToken: async (ctx, client) => client.grantTypeAllowed('refresh_token'),
  rotateRefreshToken: true,
  ttl: {
    AccessToken: config.lifetime, ClientCredentials: config.lifetime, IdToken: config.lifetime,
    Grant: 3600, RefreshToken: 3600,
  },
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    mTLS: {
      enabled: Boolean(config.tls),
      tlsClientAuth: true,
      selfSignedTlsClientAuth: true,
      getCertificate: (ctx) => {
        const { raw } = ctx.socket.getPeerCertificate();
        return raw && new X509Certificate(raw);
      },
      certificateAuthorized: (ctx) => ctx.socket.authorized,
      certificateSubjectMatches: (ctx, property, expected) => property === 'tls_client_auth_subject_dn'
        && `CN=${ctx.socket.getPeerCertificate().subject.CN}` === expected,
    },
  },
});

// What happened, for the tests to ask.
const numbers = new Map(); // of access tokens, in the order of their issue
const stats = { granted: 0, consumed: 0, revoked: 0, errors: [] };
const number = (token) => numbers.set(token.jti, numbers.size + 1);
provider.on('access_token.saved', number);
provider.on('client_credentials.saved', number);
provider.on('refresh_token.consumed', () => { stats.consumed += 1; });
provider.on('grant.success', () => { stats.granted += 1; });
provider.on('grant.revoked', () => { stats.revoked += 1; });
provider.on('grant.error', (ctx, err) => {
  stats.errors.push([err.error, err.error_description, err.error_detail].filter(Boolean).join(': '));
});
provider.on('server_error', (ctx, err) => { stats.errors.push(err.stack); });
const grants = new Set();
provider.on('access_token.saved', (token) => { if (token.grantId) grants.add(token.grantId); });

// agree stands for a human who logs in and consents to everything.
async function agree(req, res) {
  const { params } = await provider.interactionDetails(req, res);
  const grant = new provider.Grant({ accountId: 'somebody', clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  await provider.interactionFinished(req, res, { login: { accountId: 'somebody' }, consent: { grantId: await grant.save() } });
}

async function revoke() {
  for (const grant of grants) {
    await provider.AccessToken.revokeByGrantId(grant);
    await provider.RefreshToken.revokeByGrantId(grant);
  }
}

const callback = provider.callback();
server.on('request', (req, res) => (req.url.startsWith('/interaction/') ? agree(req, res) : callback(req, res)));

// mint stands for a human who logs in and consents.
async function mint(clientId) {
  const client = await provider.Client.find(clientId);
  const grant = new provider.Grant({ accountId: 'somebody', clientId });
  grant.addOIDCScope('openid offline_access');
  const grantId = await grant.save();
  return new provider.RefreshToken({
    accountId: 'somebody', client, grantId, gty: 'authorization_code', scope: 'openid offline_access',
  }).save();
}

async function bearer(req) {
  const [, value] = /^Bearer (.+)$/.exec(req.headers.authorization ?? '') ?? [];
  if (!value) return undefined;
  return await provider.AccessToken.find(value) ?? await provider.ClientCredentials.find(value);
}

const api = await listen(http.createServer(async (req, res) => {
  const url = new URL(req.url, issuer);
  switch (url.pathname) {
    case '/_test/stats':
      res.end(JSON.stringify(stats));
      return;
    case '/_test/mint':
      res.end(await mint(url.searchParams.get('client_id')));
      return;
    case '/_test/revoke':
      await revoke();
      res.end();
      return;
    default: {
      const token = await bearer(req);
      if (!token) {
        res.writeHead(401, { 'WWW-Authenticate': 'Bearer error="invalid_token"' }).end();
        return;
      }
      res.end(String(numbers.get(token.jti)));
    }
  }
}));
console.log(JSON.stringify({
  issuer, authorization_endpoint: `${issuer}/auth`, token_endpoint: `${issuer}/token`, api: `http://${api}`, origin: `http://${api}`,
}));
