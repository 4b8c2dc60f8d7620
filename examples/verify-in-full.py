#!/usr/bin/env python3
"""Checks an exported audit trail without express-strongroom, as verify.py does, and what that leaves out: anchors, retired keys, every checkpoint, each
stream's segments, and how old the unsealed tail may be. Python's standard library, and the openssl command for Ed25519.

Usage: verify-in-full.py FOLDER KEYS [ANCHOR...]
KEYS is a file of vkeys that you trust, not the copy in FOLDER; an ANCHOR is a signed note that was kept elsewhere.
Exit code: 0 intact, 1 not intact, 2 could not check."""
import base64, hashlib, json, re, subprocess, sys, tempfile
from datetime import datetime, timedelta, timezone

sha256 = lambda *parts: hashlib.sha256(b''.join(parts)).digest()

def append(peaks, leaf):  # RFC 6962: two whole trees of one size become one of twice that size
    size = 1
    while peaks and peaks[-1][0] == size:
        size, leaf = 2 * size, sha256(b'\1', peaks.pop()[1], leaf)
    peaks.append((size, leaf))

def root(peaks):
    result = peaks[-1][1] if peaks else sha256()
    for _, left in reversed(peaks[:-1]): result = sha256(b'\1', left, result)
    return result

def read_note(note):  # origin, size and root of the log; an empty line; one line for each who signed that
    body, signatures = note.split('\n\n')
    origin, size, head = body.split('\n')
    return body.encode() + b'\n', origin, int(size), base64.b64decode(head), [line.split(' ') for line in signatures.splitlines()]

def is_signed(note, keys):  # a key: <name>+<id>+<base64 of 0x01 and 32 bytes>, perhaps with until=<size of the log> behind it
    body, origin, size, _, signatures = read_note(note)
    for vkey, *until in keys:
        key = base64.b64decode(vkey.split('+', 2)[2], validate=True)
        if len(key) != 33 or key[0] != 1: raise OSError('a vkey is damaged')
        if vkey.split('+')[0] != origin or any(size > int(word.removeprefix('until=')) for word in until): continue
        for signature in (base64.b64decode(text)[4:] for _, name, text in signatures if name == origin):
            with tempfile.TemporaryDirectory() as place:
                parts = dict(key=bytes.fromhex('302a300506032b6570032100') + key[1:], body=body, signature=signature)
                for name, content in parts.items(): open(f'{place}/{name}', 'wb').write(content)
                options = 'pkeyutl -verify -rawin -pubin -keyform DER -inkey key -in body -sigfile signature'.split()
                done = subprocess.run(['openssl', *options], cwd=place, capture_output=True)
            if done.returncode == 0: return True
            if b'Verification Failure' not in done.stdout + done.stderr: raise OSError(f'openssl: {done.stderr}')
    return False

def is_young(stream, now):  # began so short ago, by its own name, that its first entry need not be there; an empty ledger has no `now`
    if now is None or not re.fullmatch('[0-7][0-9A-HJKMNP-TV-Z]{25}', stream): return False
    ms = sum('0123456789ABCDEFGHJKMNPQRSTVWXYZ'.index(digit) << 5 * (9 - place) for place, digit in enumerate(stream[:10]))
    return abs(ms - now.replace(tzinfo=timezone.utc).timestamp() * 1000) <= 300_000

def read_ledger(path, wrong):
    peaks, roots, sealed, streams, pruned, note, now = [], [sha256()], {}, {}, -1, None, None
    for n, line in enumerate(open(path, encoding='utf-8', newline='\n')):
        found = json.loads(line)
        entry, note = json.loads(found['entry']), found['note']
        now = datetime.strptime(entry['at'], '%Y-%m-%dT%H:%M:%S.%fZ')
        append(peaks, sha256(b'\0', found['entry'].encode()))
        roots.append(root(peaks))
        if not found['_id'] == entry['n'] == n: wrong.append(f'ledger#{n}: missing')
        if read_note(note)[2:4] != (n + 1, roots[-1]): wrong.append(f'ledger#{n}: the ledger up to here is not the one that was signed')
        if entry['kind'] == 'prune':
            pruned = max(pruned, entry['through'])
            continue
        stream, begin, count = entry['stream'], entry.get('from', 0), entry.get('count', 0)
        end, last, _ = streams.get(stream, (begin if entry['kind'] in ('open', 'adopt') else None, None, None))
        is_hole = entry['kind'] == last == 'adopt' and begin > end  # of history that nobody sealed
        if end != begin and not is_hole or last == 'close' or last and entry['kind'] == 'open':
            wrong.append(f'ledger#{n}: not where {stream} goes on')
        streams[stream] = begin + count, entry['kind'], now
        leaves, segment = base64.b64decode(found.get('leaves', '')), []
        for index in range(len(leaves) // 32):
            leaf = leaves[32 * index:32 * index + 32]
            append(segment, leaf)
            sealed[f'{stream}.{begin + index:012d}'] = leaf, n
        if (len(leaves), root(segment)) != (32 * count, base64.b64decode(entry['root']) if 'root' in entry else sha256()):
            wrong.append(f'ledger#{n}: the leaves of its events are damaged')
    return sealed, streams, roots, pruned, note, now

def verify(folder, keys, anchors):
    wrong, before, events, unsealed = [], '', 0, 0
    sealed, streams, roots, pruned, newest, now = read_ledger(f'{folder}/ledger.ndjson', wrong)
    if newest is None or not is_signed(newest, keys): wrong.append('the ledger: no key that you trust signed it')
    for _, _, size, head, _ in map(read_note, anchors):
        if roots[size:size + 1] != [head]: wrong.append(f'ledger#{size - 1}: cut off, or another one than the anchor saw')
    for events, line in enumerate(open(f'{folder}/events.ndjson', 'rb'), 1):
        event = json.loads(line)
        event = event.get('_id') if isinstance(event, dict) else event
        if not isinstance(event, str):  # the database takes documents of any _id
            wrong.append(f'{json.dumps(event)}: no event of this package')
            continue
        stream, _, number = event.partition('.')
        end, kind, last = streams.get(stream) or ((0, 'open', now) if is_young(stream, now) else (None, 'close', now))
        leaf, _ = sealed.pop(event, (None, None))
        if event <= before: wrong.append(f'{event}: not in its place')
        if leaf is None and kind != 'close' and number == f'{end:012d}' and now - last <= timedelta(minutes=5):
            streams[stream], unsealed = (end + 1, kind, last), unsealed + 1
        elif leaf != sha256(b'\0', line.removesuffix(b'\n')):
            wrong.append(f'{event}: ' + ('not as it was sealed' if leaf else 'no seal covers it'))
        before = event
    wrong += [f'{event}: missing' for event, (_, n) in sealed.items() if n > pruned]
    print(*wrong, f'{events} events ({unsealed} not yet sealed), {len(roots) - 1} ledger entries, {len(wrong)} faults', sep='\n')
    return 1 if wrong else 0

if __name__ == '__main__':
    try:
        folder, keys, *anchors = sys.argv[1:]
        keys = [line.split('#')[0].split() for line in open(keys, encoding='utf-8') if line.split('#')[0].strip()]
        sys.exit(verify(folder, keys, [open(path, encoding='utf-8').read() for path in anchors]))
    except Exception as error:
        sys.exit(print(f'could not check: {error!r}', file=sys.stderr) or 2)
