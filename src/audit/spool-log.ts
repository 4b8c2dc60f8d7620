/** The spooled events of one instance: numbered files in one folder, appended to, read again in order, removed when they are stored. It knows no database. */
import { type FileHandle, mkdir, open, readdir, readFile, rm, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { AuditEvent } from '../event.js';
import { isNameless } from './failure-limit.js';
import { SpoolChangeFile } from './spool-change-file.js';
import type { SpoolChange, SpoolChanges } from './spool-changes.js';
import { writeSpoolEvents, writeSpoolLine } from './spool-lines.js';
import { readNamelessBytes, SpoolNamelessFile } from './spool-nameless-file.js';
import { readSegment } from './spool-segment.js';
import { isDone, type SpoolSegment, SpoolSegments } from './spool-segments.js';
import { streamOf } from './stream.js';
import { syncFolder } from './sync-folder.js';

/** What is done about events that the disk does not give back. */
export interface OnDamage {
  /** Makes the event that stands for one. */
  fill(id: string): AuditEvent;
  /** So many are gone, and nobody knows their numbers. */
  lose(count: number): void;
  /** So many are gone, for someone removed them. */
  gone(count: number): void;
}

/** Stands where the name of an owner would, for a log that was taken over and is sent. */
export const SENT = 'sent';

/** Length of its name; behind it stands whose it is. */
const ID_LENGTH = 26;
const SEGMENT = /^\d{8}\.log$/;

/** Appends, reads and forgets. Its async methods take turns. */
export class SpoolLog {
  readonly #folder: string;
  readonly #segmentBytes: number;
  readonly #changeFile: SpoolChangeFile;
  readonly #namelessFile: SpoolNamelessFile;
  readonly #segments = new SpoolSegments();
  /** What another process told of the files that it wrote. */
  #toldNamelessBytes = 0;
  #isAdopted = false;
  #active: FileHandle | undefined;
  #next = 1;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(folder: string, segmentBytes: number) {
    this.#folder = folder;
    this.#segmentBytes = segmentBytes;
    this.#changeFile = new SpoolChangeFile(join(folder, 'changes'));
    this.#namelessFile = new SpoolNamelessFile(folder);
  }

  /** Makes an empty one. Rejects when the folder cannot be made. */
  static async create(folder: string, segmentBytes: number): Promise<SpoolLog> {
    await mkdir(folder, { mode: 0o700 });
    return new SpoolLog(folder, segmentBytes);
  }

  /** Opens what another instance left. */
  static async open(folder: string, segmentBytes: number): Promise<SpoolLog> {
    const log = new SpoolLog(folder, segmentBytes);
    const names = (await readdir(folder)).filter((name) => SEGMENT.test(name)).sort();
    for (const name of names) {
      const path = join(folder, name);
      const { size: bytes } = await stat(path);
      log.#segments.add({ path, bytes, namelessBytes: 0, count: undefined, left: 1, isRead: false, first: '' });
      log.#next = Number(name.slice(0, 8)) + 1;
    }
    await log.#changeFile.load();
    log.#isAdopted = true;
    log.#toldNamelessBytes = await readNamelessBytes(folder);
    return log;
  }

  /** Its name in the directory, whoever owns it. */
  get id(): string {
    return basename(this.#folder).slice(0, ID_LENGTH);
  }

  /** What became of events before they were sent. */
  get changes(): SpoolChanges {
    return this.#changeFile.changes;
  }

  /** Bytes on disk. */
  get bytes(): number {
    return this.#segments.bytes + this.#changeFile.bytes;
  }

  /** Bytes of failures that name no actor; of files of someone else about. */
  get namelessBytes(): number {
    return Math.min(this.#segments.namelessBytes + this.#toldNamelessBytes, this.#segments.bytes);
  }

  /** Events that are not stored yet; a file of someone else that was not read yet counts as one. */
  get size(): number {
    return this.#segments.size;
  }

  /** Those of them that were not handed out. */
  get unread(): number {
    return this.#segments.unread;
  }

  /** The stream of the first event that was not handed out; undefined where there is none, or it is not known yet. */
  get nextStream(): string | undefined {
    const first = this.#segments.nextUnread?.first ?? '';
    return first === '' ? undefined : streamOf(this.changes.moved(first));
  }

  /** Whether there are events that were not handed out. */
  get hasUnread(): boolean {
    return this.unread > 0;
  }

  /**
   * Appends events of one stream and flushes them to the disk; `isRead`: the caller keeps them too. Rejects when they are not safe; they are then not in
   * the file either, as far as the disk lets it be undone.
   */
  append(events: readonly AuditEvent[], isRead: boolean): Promise<void> {
    return this.#inTurn(() => this.#append(events, isRead));
  }

  /** The events of the next file that were not handed out, as they are to be sent; none when there are none. */
  readNext(damage: OnDamage): Promise<AuditEvent[]> {
    return this.#inTurn(() => this.#readNext(damage));
  }

  /** So many more are stored, in order. Files whose events are all stored go. */
  acknowledge(count: number): void {
    this.#segments.settle(count);
    if (this.#segments.done.length > 0) void this.#inTurn(() => this.#clear()).catch(() => undefined);
  }

  /** Notes a change so that it survives this process. Resolves in any case: what cannot be written is at least applied. */
  change(change: SpoolChange): Promise<void> {
    // At once: what is being read meanwhile must not pass by it.
    this.changes.add(change);
    return this.#inTurn(() => this.#note(change)).catch(() => undefined);
  }

  /** Whether nobody has it any more, and nobody has sent it: someone removed it. False where that cannot be told. */
  async isRemoved(): Promise<boolean> {
    try {
      return !(await readdir(dirname(this.#folder))).some((name) => name.startsWith(`${this.id}@`));
    } catch (error) {
      return (error as { code?: unknown }).code === 'ENOENT';
    }
  }

  /** Closes the files; removes them when nothing is left in them. */
  close(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#closeActive();
      if (this.size > 0) return;
      // Its first owner may still live, frozen: he must not take it for removed.
      if (this.#isAdopted) await mkdir(join(dirname(this.#folder), `${this.id}@${SENT}`)).catch(() => undefined);
      await rm(this.#folder, { recursive: true, force: true });
    });
  }

  async #append(events: readonly AuditEvent[], isRead: boolean): Promise<void> {
    const first = events[0]?._id ?? '';
    const segment = await this.#activeFor(first, isRead);
    const header = segment.bytes === 0 ? writeSpoolLine({ v: 1, first }) : Buffer.alloc(0);
    const { bytes, lengths } = writeSpoolEvents(events);
    const text = Buffer.concat([header, bytes]);
    try {
      await this.#active?.appendFile(text);
      await this.#active?.datasync();
      // Taken for dead while it was frozen, this process finds its folder with someone else.
      await stat(this.#folder);
    } catch (error) {
      await this.#undo(segment.bytes);
      throw error;
    }
    const nameless = lengths.filter((_, index) => isNameless(events[index] as AuditEvent));
    const namelessBytes = nameless.reduce((sum, length) => sum + length, 0);
    this.#segments.resize(segment, { bytes: text.length, namelessBytes });
    segment.count = (segment.count ?? 0) + events.length;
    segment.left += events.length;
    await this.#namelessFile.tell(this.namelessBytes);
  }

  /** The file to append to: all of one stream, and all kept by the caller or none, so that a file is read as a whole or not at all. */
  async #activeFor(first: string, isRead: boolean): Promise<SpoolSegment> {
    const { last } = this.#segments;
    if (this.#active !== undefined && last !== undefined) {
      if (last.bytes === 0) Object.assign(last, { first, isRead });
      const fits =
        streamOf(last.first) === streamOf(first) && last.isRead === isRead && last.bytes < this.#segmentBytes;
      if (fits) return last;
      await this.#closeActive();
    }
    const path = join(this.#folder, `${String(this.#next).padStart(8, '0')}.log`);
    const handle = await open(path, 'ax', 0o600);
    this.#next += 1;
    this.#active = handle;
    await syncFolder(this.#folder);
    const segment = { path, bytes: 0, namelessBytes: 0, count: 0, left: 0, isRead, first };
    this.#segments.add(segment);
    return segment;
  }

  /** Takes back what of a failed write may stand in the file; a file of which that is not known is not appended to any more. */
  async #undo(bytes: number): Promise<void> {
    try {
      await this.#active?.truncate(bytes);
    } catch {
      await this.#closeActive();
    }
  }

  async #readNext(damage: OnDamage): Promise<AuditEvent[]> {
    const segment = this.#segments.nextUnread;
    if (segment === undefined) return [];
    const after = this.#segments.after(segment);
    if (after === undefined) await this.#closeActive();
    const bytes = await this.#readFile(segment.path);
    const next = segment.count === undefined && after !== undefined ? await this.#readFile(after.path) : undefined;
    const { events, missing, unknown } = await readSegment(bytes, { ...segment, next });
    if (unknown > 0) damage.lose(unknown);
    for (const id of missing) await this.#fill(id, damage);
    const whole = [...events, ...missing.map((id) => this.changes.at(id)).filter((event) => event !== undefined)];
    whole.sort((a, b) => (a._id < b._id ? -1 : 1));
    Object.assign(segment, { isRead: true, count: whole.length, left: whole.length });
    if (whole.length === 0) await this.#clear();
    return whole.map((event) => this.changes.apply(event));
  }

  /** What the disk does not give at all is damaged as a whole. Rejects when someone else has the folder: nothing is lost then. */
  async #readFile(path: string): Promise<Buffer> {
    try {
      return await readFile(path);
    } catch {
      await stat(this.#folder);
      return Buffer.alloc(0);
    }
  }

  /** What stands for a lost event is the same after the next crash: it may have been sent. */
  async #fill(id: string, damage: OnDamage): Promise<void> {
    if (this.changes.at(id) !== undefined) return;
    const change = { kind: 'replace', event: { ...damage.fill(id), _id: id } } as const;
    this.changes.add(change);
    await this.#note(change).catch(() => undefined);
  }

  async #clear(): Promise<void> {
    const active = this.#active === undefined ? undefined : this.#segments.last;
    for (const segment of this.#segments.done) {
      if (segment === active) await this.#empty(segment);
      else await this.#remove(segment);
    }
  }

  /** Under a light load one file is used again and again. */
  async #empty(segment: SpoolSegment): Promise<void> {
    if (segment.bytes === 0) return;
    await this.#active?.truncate(0);
    this.#segments.resize(segment, { bytes: -segment.bytes, namelessBytes: -segment.namelessBytes });
    segment.count = 0;
  }

  async #remove(segment: SpoolSegment): Promise<void> {
    await unlink(segment.path).catch(() => undefined);
    this.#segments.remove(segment);
  }

  async #closeActive(): Promise<void> {
    const active = this.#active;
    this.#active = undefined;
    await active?.close().catch(() => undefined);
    const { last } = this.#segments;
    if (active !== undefined && last !== undefined && isDone(last)) await this.#remove(last);
  }

  async #note(change: SpoolChange): Promise<void> {
    const isNew = this.#changeFile.bytes === 0;
    await this.#changeFile.append(change);
    if (isNew) await syncFolder(this.#folder);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}
