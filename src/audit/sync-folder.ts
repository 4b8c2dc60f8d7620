/** Flushing a folder, without which a new name in it may be gone after a power cut. It knows not what the name is of. */
import { open } from 'node:fs/promises';

/** A name is on the disk when its folder is. Some systems cannot flush a folder, and need not. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close().catch(() => undefined);
}
