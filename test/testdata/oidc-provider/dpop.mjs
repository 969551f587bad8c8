// An OpenID provider that wants a proof of possession (RFC 9449) with a nonce of its own at
// each of its endpoints, and an API that verifies tokens and proofs by oauth4webapi, whose
// nonces change every second, and which ends connections without an answer.
//
// The first line of its input is its configuration: {"lifetime": seconds, "client":
// metadata, "resource", "tls": {"cert", "key"}}. Without a resource, tokens are opaque, and
// for the provider's own userinfo endpoint. It prints its addresses in one line of JSON, and
// ends when its input does.
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http2 from 'node:http2';
import https from 'node:https';
import readline from 'node:readline';
import { decodeJwt, exportJWK, generateKeyPair } from 'jose';
import * as oauth from 'oauth4webapi';
import Provider from 'oidc-provider';

const input = readline.createInterface({ input: process.stdin });
const [line] = await once(input, 'line');
const config = JSON.parse(line);
input.on('close', () => process.exit(0));

async function listen(server) {
  server.keepAliveTimeout = 60_000; // a request may not meet the end of an idle connection
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `https://127.0.0.1:${server.address().port}`;
}

// Kept keeps everything: the provider's own memory forgets all but the newest thousand.
const kept = new Map();
class Kept {
  constructor(model) { this.model = model; }
  name(id) { return `${this.model}:${id}`; }
  async upsert(id, payload, expiresIn) {
    kept.set(this.name(id), { payload, ends: Date.now() + (expiresIn ?? Infinity) * 1000 });
  }
  async find(id) {
    const found = kept.get(this.name(id));
    return found && found.ends > Date.now() ? found.payload : undefined;
  }
  async findBy(member, value) {
    for (const [name, { payload }] of kept) {
      if (name.startsWith(`${this.model}:`) && payload[member] === value) return payload;
    }
    return undefined;
  }
  findByUid(uid) { return this.findBy('uid', uid); }
  findByUserCode(code) { return this.findBy('userCode', code); }
  async consume(id) { kept.get(this.name(id)).payload.consumed = Math.floor(Date.now() / 1000); }
  async destroy(id) { kept.delete(this.name(id)); }
  async revokeByGrantId(grant) {
    for (const [name, { payload }] of kept) {
      if (name.startsWith(`${this.model}:`) && payload.grantId === grant) kept.delete(name);
    }
  }
}

const usual = https.createServer(config.tls);
const issuer = await listen(usual);
const { privateKey } = await generateKeyPair('RS256', { extractable: true });
const jwk = { ...await exportJWK(privateKey), alg: 'RS256', use: 'sig', kid: 'provider' };

const provider = new Provider(issuer, {
  adapter: Kept,
  clients: [config.client],
  jwks: { keys: [jwk] },
  clientAuthMethods: ['private_key_jwt', 'none'],
  scopes: ['openid', 'orders'],
  issueRefreshToken: async () => true,
  rotateRefreshToken: true,
  ttl: { AccessToken: config.lifetime, Grant: 3600, RefreshToken: 3600, IdToken: 3600 },
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  features: {
    devInteractions: { enabled: false },
    dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true },
    pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (ctx, resource) => ({
        scope: 'orders', audience: resource, accessTokenTTL: config.lifetime, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } },
      }),
      useGrantedResource: () => false,
    },
  },
});

const stats = {
  granted: 0, pushed: 0, pushedProven: 0, nonces: 0, proofs: 0, repeated: 0, keys: 0, broken: 0, refused: 0, protocols: {}, errors: [],
};
provider.on('grant.success', () => { stats.granted += 1; });
provider.on('pushed_authorization_request.success', (ctx) => {
  stats.pushed += 1;
  stats.pushedProven += ctx.get('DPoP') ? 1 : 0;
});
for (const event of ['grant.error', 'pushed_authorization_request.error', 'authorization.error', 'userinfo.error', 'server_error']) {
  provider.on(event, (ctx, err) => {
    if (err.error === 'use_dpop_nonce') stats.nonces += 1;
    else stats.errors.push([event, err.error, err.error_description, err.error_detail, err.error ? '' : err.stack].filter(Boolean).join(': '));
  });
}

// remember notes a proof as soon as its request is there, whatever becomes of that.
const seen = new Set();
const keys = new Set();
function remember(req) {
  const proof = req.headers.dpop;
  if (!proof) return;
  stats.proofs += 1;
  const { jti } = decodeJwt(proof);
  if (seen.has(jti) || seen.has(proof)) stats.repeated += 1;
  seen.add(jti).add(proof);
  keys.add(JSON.stringify(JSON.parse(Buffer.from(proof.split('.')[0], 'base64url')).jwk));
  stats.keys = keys.size;
}

// breaks ends some requests without an answer: with HTTP/1.1 together with a connection that was
// kept, with HTTP/2 as one that was not looked at. There, some connections take no more requests.
let requests = 0;
const used = new WeakSet();
function breaks(req) {
  stats.protocols[req.httpVersion] = (stats.protocols[req.httpVersion] ?? 0) + 1;
  requests += 1;
  const two = req.httpVersionMajor === 2;
  if (two && requests % 25 === 0) req.stream.session.close();
  const reused = used.has(req.socket);
  used.add(req.socket);
  if (requests % 10 !== 0 || !two && (!reused || req.method !== 'GET')) return false;
  stats.broken += 1;
  if (two) req.stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
  else req.socket.destroy();
  return true;
}

// agree stands for a human who logs in and consents to everything.
async function agree(req, res) {
  const { params } = await provider.interactionDetails(req, res);
  const grant = new provider.Grant({ accountId: 'somebody', clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  if (params.resource) grant.addResourceScope(params.resource, params.scope);
  await provider.interactionFinished(req, res, { login: { accountId: 'somebody' }, consent: { grantId: await grant.save() } });
}

const callback = provider.callback();
usual.on('request', (req, res) => {
  remember(req);
  if (req.url.startsWith('/interaction/')) agree(req, res);
  else if (req.url !== '/me' || !breaks(req)) callback(req, res);
});

// A nonce of the API is good for a second, and for the one after it.
const secret = randomBytes(32);
const nonceOf = (second) => createHmac('sha256', secret).update(String(second)).digest('base64url');
const now = () => Math.floor(Date.now() / 1000);

const server = { issuer, jwks_uri: `${issuer}/jwks` };
const { kty, n, e, alg, kid, use } = jwk;
const jwks = JSON.stringify({ keys: [{ kty, n, e, alg, kid, use }] });
const options = {
  requireDPoP: true,
  [oauth.clockTolerance]: 2, // seconds are whole in tokens
  [oauth.customFetch]: async () => new Response(jwks, { headers: { 'Content-Type': 'application/json' } }),
};

async function judge(req) {
  const headers = Object.entries(req.headers).filter(([name]) => !name.startsWith(':'));
  const authority = req.headers[':authority'] ?? req.headers.host;
  const request = new Request(`https://${authority}${req.url}`, { method: req.method, headers });
  await oauth.validateJwtAccessToken(server, request, config.resource, options);
  const { nonce } = decodeJwt(req.headers.dpop);
  return nonce === nonceOf(now()) || nonce === nonceOf(now() - 1);
}

const api = await listen(http2.createSecureServer({ ...config.tls, allowHTTP1: true }, async (req, res) => {
  if (req.url === '/_test/stats') {
    res.end(JSON.stringify(stats));
    return;
  }
  remember(req);
  if (breaks(req)) return;
  for await (const _ of req); // its body
  res.setHeader('DPoP-Nonce', nonceOf(now()));
  try {
    if (await judge(req)) {
      res.end('an order');
      return;
    }
    stats.nonces += 1;
    res.writeHead(401, { 'WWW-Authenticate': 'DPoP error="use_dpop_nonce"' }).end();
  } catch (err) {
    stats.refused += 1;
    stats.errors.push(`api: ${err.message} ${JSON.stringify(err.cause ?? '')}`);
    res.writeHead(401, { 'WWW-Authenticate': 'DPoP error="invalid_token"' }).end();
  }
}));
console.log(JSON.stringify({ issuer, api, token_endpoint: `${issuer}/token` }));
