// @node-oauth/oauth2-server with a model in memory, on plain node:http. It reads
// its configuration as a line of JSON and prints where it listens as another one.
import http from 'node:http';
import readline from 'node:readline';
import OAuth2Server from '@node-oauth/oauth2-server';

const { Request, Response } = OAuth2Server;
const config = JSON.parse((await readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]().next()).value);
const client = {
  id: config.client_id, clientSecret: config.client_secret, redirectUris: [config.redirect_uri],
  grants: ['authorization_code', 'refresh_token'],
};
const codes = new Map(), access = new Map(), refresh = new Map();

const model = {
  getClient: async (id, secret) => id === client.id && (secret === null || secret === client.clientSecret) ? client : false,
  saveAuthorizationCode: async (code, client, user) => { const c = { ...code, client, user }; codes.set(code.authorizationCode, c); return c; },
  getAuthorizationCode: async (code) => codes.get(code) ?? false,
  revokeAuthorizationCode: async (code) => codes.delete(code.authorizationCode),
  saveToken: async (token, client, user) => {
    const t = { ...token, client, user };
    access.set(token.accessToken, t);
    refresh.set(token.refreshToken, t);
    return t;
  },
  getAccessToken: async (token) => access.get(token) ?? false,
  getRefreshToken: async (token) => refresh.get(token) ?? false,
  revokeToken: async (token) => { // a refresh kills the old access token too
    access.delete(token.accessToken);
    return refresh.delete(token.refreshToken);
  },
  validateRedirectUri: async (uri) => uri === config.redirect_uri || uri.startsWith('http://127.0.0.1:'), // RFC 8252 section 7.3
  validateScope: async (user, client, scope) => scope ?? ['orders'],
};
const oauth = new OAuth2Server({
  model, accessTokenLifetime: config.lifetime, alwaysIssueNewRefreshToken: true,
  authenticateHandler: { handle: () => ({ id: 'erika' }) },
});

const body = async (req) => { let text = ''; for await (const part of req) text += part; return text; };

const server = http.createServer(async (req, res) => {
  const url = new URL(req.url, 'http://server');
  const request = new Request({
    method: req.method, headers: req.headers, query: Object.fromEntries(url.searchParams),
    body: Object.fromEntries(new URLSearchParams(await body(req))),
  });
  const response = new Response();
  try {
    switch (url.pathname) {
      case '/authorize': await oauth.authorize(request, response); break;
      case '/token': await oauth.token(request, response); break;
      case '/orders': await oauth.authenticate(request, response); response.body = { orders: [] }; break;
      case '/_test/revoke': access.clear(); refresh.clear(); response.body = {}; break;
      default: response.status = 404;
    }
  } catch (err) {
    response.status = err.code ?? 500;
    response.body ??= { error: err.name, error_description: err.message };
    if (!response.body.error) response.body = { error: err.name, error_description: err.message };
  }
  res.writeHead(response.status ?? 200, { 'content-type': 'application/json', ...response.headers });
  res.end(JSON.stringify(response.body ?? {}));
});
server.listen(0, '127.0.0.1', () => {
  const origin = `http://127.0.0.1:${server.address().port}`;
  console.log(JSON.stringify({ authorization_endpoint: `${origin}/authorize`, token_endpoint: `${origin}/token`, api: origin, origin }));
});
