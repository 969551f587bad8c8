// An OpenID provider that wants what FAPI 2.0 wants, on loopback sockets, and an API that
// checks its tokens by jose: pushed authorization requests, private_key_jwt, resource
// indicators, and access tokens that are bound to certificates, at endpoints for clients
// that have one.
//
// The first line of its input is its configuration: {"lifetime": seconds, "client":
// metadata, "resource", "tls": {"cert", "key"}}. It prints its addresses in one line of
// JSON, and ends when its input does.
import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import https from 'node:https';
import readline from 'node:readline';
import { createLocalJWKSet, exportJWK, generateKeyPair, jwtVerify } from 'jose';
import Provider from 'oidc-provider';

const input = readline.createInterface({ input: process.stdin });
const [line] = await once(input, 'line');
const config = JSON.parse(line);
input.on('close', () => process.exit(0));

async function listen(server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `https://127.0.0.1:${server.address().port}`;
}

const usual = https.createServer(config.tls);
const mutual = https.createServer({ ...config.tls, requestCert: true, rejectUnauthorized: false });
const issuer = await listen(usual);
const aliases = await listen(mutual);

const { privateKey } = await generateKeyPair('RS256', { extractable: true });
const jwk = { ...await exportJWK(privateKey), alg: 'RS256', use: 'sig', kid: 'provider' };

const provider = new Provider(issuer, {
  clients: [config.client],
  jwks: { keys: [jwk] },
  clientAuthMethods: ['private_key_jwt'],
  scopes: ['orders'],
  issueRefreshToken: async () => true,
  rotateRefreshToken: true,
  ttl: { AccessToken: config.lifetime, Grant: 3600, RefreshToken: 3600, IdToken: 3600 },
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  discovery: { mtls_endpoint_aliases: { token_endpoint: `${aliases}/token`, pushed_authorization_request_endpoint: `${aliases}/request` } },
  features: {
    devInteractions: { enabled: false },
    pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (ctx, resource) => ({
        scope: 'orders', audience: resource, accessTokenTTL: config.lifetime, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } },
      }),
      useGrantedResource: () => false,
    },
    mTLS: {
      enabled: true,
      certificateBoundAccessTokens: true,
      getCertificate: (ctx) => {
        const { raw } = ctx.socket.getPeerCertificate?.() ?? {};
        return raw && new X509Certificate(raw);
      },
    },
  },
});

const stats = { granted: 0, pushed: 0, errors: [], refused: 0, certificates: 0 };
provider.on('grant.success', () => { stats.granted += 1; });
provider.on('pushed_authorization_request.success', () => { stats.pushed += 1; });
for (const event of ['grant.error', 'pushed_authorization_request.error', 'authorization.error', 'server_error']) {
  provider.on(event, (ctx, err) => { stats.errors.push([event, err.error, err.error_description, err.error_detail, err.error ? '' : err.stack].filter(Boolean).join(': ')); });
}

// agree stands for a human who logs in and consents to everything.
async function agree(req, res) {
  const { params } = await provider.interactionDetails(req, res);
  const grant = new provider.Grant({ accountId: 'somebody', clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  grant.addResourceScope(params.resource, params.scope);
  await provider.interactionFinished(req, res, { login: { accountId: 'somebody' }, consent: { grantId: await grant.save() } });
}

const callback = provider.callback();
usual.on('request', (req, res) => (req.url.startsWith('/interaction/') ? agree(req, res) : callback(req, res)));
mutual.on('request', callback);

const keys = createLocalJWKSet({ keys: [{ kty: jwk.kty, n: jwk.n, e: jwk.e, alg: jwk.alg, kid: jwk.kid, use: jwk.use }] });
const seen = new Set();

// judge verifies a token, and that whoever sends it has the certificate that it is bound to.
async function judge(req) {
  const [, token] = /^Bearer (.+)$/.exec(req.headers.authorization ?? '') ?? [];
  const { payload } = await jwtVerify(token ?? '', keys, { issuer, audience: config.resource, clockTolerance: 1 }); // seconds are whole in it
  const { raw } = req.socket.getPeerCertificate();
  const thumbprint = raw && createHash('sha256').update(raw).digest('base64url');
  if (!thumbprint || payload.cnf?.['x5t#S256'] !== thumbprint) {
    throw new Error(`bound to ${payload.cnf?.['x5t#S256']}, and sent with ${thumbprint}`);
  }
  seen.add(thumbprint);
  stats.certificates = seen.size;
  return payload.jti;
}

const api = await listen(https.createServer({ ...config.tls, requestCert: true, rejectUnauthorized: false }, async (req, res) => {
  if (req.url === '/_test/stats') {
    res.end(JSON.stringify(stats));
    return;
  }
  try {
    res.end(await judge(req));
  } catch (err) {
    stats.refused += 1;
    stats.errors.push(`api: ${err.message}`);
    res.writeHead(401, { 'WWW-Authenticate': 'Bearer error="invalid_token"' }).end();
  }
}));
console.log(JSON.stringify({ issuer, api, token_endpoint: `${aliases}/token` }));
