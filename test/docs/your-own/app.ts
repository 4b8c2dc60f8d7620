/** What the README's examples call their own app: the room, a parser, a login. */
import express, { type Express } from 'express';
import { room } from './room.js';
import { findUser } from './users.js';

/** An app that is not listening yet. */
export const app: Express = express();

app.use(room);
app.use(express.json());
app.post('/login', async (req, res) => {
  res.sendStatus((await findUser(req.body)) === null ? 401 : 200);
});
