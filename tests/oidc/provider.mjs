// A real OpenID provider: `node provider.mjs '{"port": 9000, ...}'`. Whoever types an address into
// its login page is logged in as that; addresses that begin with "unverified" are not verified.
import { generateKeyPairSync, webcrypto } from 'node:crypto';

// What Node 18 lacks of what the provider uses.
globalThis.crypto ??= webcrypto;
URL.parse ??= (text, base) => (URL.canParse(text, base) ? new URL(text, base) : null);

const { Provider } = await import('oidc-provider');

const { port, redirectUri, audience, kid, inIdToken } = JSON.parse(process.argv[2]);
const issuer = `http://127.0.0.1:${port}`;
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

const people = { grant_types: ['authorization_code'], redirect_uris: [redirectUri] };
const clients = ['client_secret_basic', 'client_secret_post', 'none'].map((method) => ({
  client_id: `keyturn-${method}`,
  client_secret: method === 'none' ? undefined : 'secret of the client: %+&',
  token_endpoint_auth_method: method,
  ...people,
}));
clients.push({
  client_id: 'workload',
  client_secret: 'secret-of-the-workload',
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
});

const provider = new Provider(issuer, {
  clients,
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' }] },
  cookies: { keys: ['of a test'] },
  claims: { openid: ['sub'], email: ['email', 'email_verified'] },
  conformIdTokenClaims: !inIdToken,
  pkce: { required: () => true },
  ttl: { AccessToken: 3600, ClientCredentials: 600, IdToken: 600, Interaction: 600, Session: 600 },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: id, email_verified: !id.startsWith('unverified') }),
  }),
  features: {
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: (_, client) => (client.clientId === 'workload' ? audience : []),
      getResourceServerInfo: () => ({ audience, accessTokenFormat: 'jwt', scope: '' }),
    },
  },
});
provider.listen(port, '127.0.0.1');
