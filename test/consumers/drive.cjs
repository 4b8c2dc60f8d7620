/** A small app of a user, driven over HTTP; every consumer project runs it with the copy of the package that it loaded. */
const assert = require('node:assert/strict');
const { once } = require('node:events');

/** Throws when anything is not as a user expects it. */
exports.drive = async function drive({ strongroom, memoryProvider, AppendOnlyError, StrongroomError, express }) {
  const room = strongroom({
    environment: 'test',
    secrets: { provider: memoryProvider({ PASSWORD: 'correct horse', AUDIT_URI: process.env.MONGODB_URI }), ttl: '5m' },
    audit: { uri: { secret: 'AUDIT_URI' } },
    helmet: true,
  });
  const server = serve(room, express);
  try {
    await once(server, 'listening');
    const report = await room.ready();
    assert.equal(report.environment, 'test');
    const url = `http://127.0.0.1:${server.address().port}`;
    assert.equal((await login(url, 'wrong')).status, 401);
    const good = await login(url, 'correct horse');
    assert.equal(good.status, 200);
    assert.equal(good.headers.get('x-content-type-options'), 'nosniff');
    await assertTrail(room);
    const refused = await room.audit.model.updateOne({}, { status: 'success' }).then(
      () => undefined,
      (error) => error,
    );
    assert.ok(refused instanceof AppendOnlyError, `expected a refusal, got ${refused}`);
    assert.ok(refused instanceof StrongroomError);
  } finally {
    server.close();
    server.closeAllConnections();
    await room.close();
  }
};

function serve(room, express) {
  const app = express();
  app.use(room);
  app.use(express.json());
  app.post('/login', async (req, res) => {
    if (req.body.password !== (await req.secrets.get('PASSWORD'))) return res.status(401).json({});
    req.audit.outcome({ actor: { id: 'u-1', role: 'USER' } });
    return res.json({});
  });
  return app.listen(0, '127.0.0.1');
}

function login(url, password) {
  return fetch(`${url}/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: 'ada@example.com', password }),
  });
}

/** The act is recorded after the response is out, so the client may be earlier. */
async function assertTrail(room) {
  const deadline = Date.now() + 10_000;
  let events = [];
  while (events.length < 2 && Date.now() < deadline) {
    await room.audit.flush();
    ({ events } = await room.audit.find({ action: 'auth.login' }));
  }
  assert.deepEqual(events.map(({ status, actorId }) => [status, actorId]).sort(), [
    ['failure', null],
    ['success', 'u-1'],
  ]);
}
