#!/usr/bin/env python3
"""Checks an export without express-strongroom: verify.py FOLDER KEYS. KEYS: a file of vkeys that you trust. Exit code: 0 intact, 1 not, 2 could not check."""
import base64, hashlib, json, subprocess, sys, tempfile
sha256 = lambda *parts: hashlib.sha256(b''.join(parts)).digest()

def root(leaves):  # of a Merkle tree, RFC 6962
    if len(leaves) < 2: return leaves[0] if leaves else sha256()
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b'\1', root(leaves[:half]), root(leaves[half:]))

def is_signed(checkpoint, vkey):  # a vkey is <name>+<id>+<base64 of 0x01 and 32 bytes>
    (body, signature), (name, _, key) = checkpoint.split('\n\n'), vkey.split('+', 2)
    files = dict(body=body.encode() + b'\n', signature=base64.b64decode(signature.split()[2])[4:],
                 key=bytes.fromhex('302a300506032b6570032100') + base64.b64decode(key)[1:])
    with tempfile.TemporaryDirectory() as place:
        for file, content in files.items(): open(f'{place}/{file}', 'wb').write(content)
        openssl = 'openssl pkeyutl -verify -rawin -pubin -keyform DER -inkey key -in body -sigfile signature'
        return body.split('\n')[0] == name and subprocess.run(openssl.split(), cwd=place, capture_output=True).returncode == 0

def verify(folder, keys):
    ledger = [json.loads(line) for line in open(f'{folder}/ledger.ndjson', encoding='utf-8', newline='\n')]
    wrong, sealed, following, pruned, events, unsealed, checkpoint = [], {}, {}, -1, 0, 0, ledger[-1]['note']
    if not any(is_signed(checkpoint, key) for key in keys): wrong.append('the ledger: no key that you trust signed it')
    signed_root = base64.b64encode(root([sha256(b'\0', found['entry'].encode()) for found in ledger])).decode()
    if checkpoint.split('\n')[1:3] != [str(len(ledger)), signed_root]: wrong.append('the ledger: not the one that was signed')
    for n, found in enumerate(ledger):
        entry, block = json.loads(found['entry']), base64.b64decode(found.get('leaves', ''))
        stream, first, count = entry.get('stream'), entry.get('from', 0), entry.get('count', 0)
        leaves, pruned = [block[at:at + 32] for at in range(0, len(block), 32)], max(pruned, entry.get('through', -1))
        if (len(leaves), root(leaves)) != (count, base64.b64decode(entry['root']) if count else sha256()): wrong.append(f'ledger#{n}: the leaves of its events are damaged')
        sealed.update((f'{stream}.{first + index:012d}', (leaf, n)) for index, leaf in enumerate(leaves))
        following[stream] = f'{stream}.{first + count:012d}' if entry['kind'] != 'close' else None
    for events, line in enumerate(open(f'{folder}/events.ndjson', 'rb'), 1):
        event = str(json.loads(line)['_id'])
        leaf, _ = sealed.pop(event, (None, None))
        if leaf is None and event == following.get(event[:26]):
            unsealed, following[event[:26]] = unsealed + 1, f'{event[:27]}{int(event[27:]) + 1:012d}'
        elif leaf != sha256(b'\0', line.removesuffix(b'\n')): wrong.append(f'{event}: ' + ('not as it was sealed' if leaf else 'no seal covers it'))
    wrong += [f'{event}: missing' for event, (_, n) in sealed.items() if n > pruned]
    print(*wrong, f'{events} events ({unsealed} not yet sealed), {len(ledger)} ledger entries, {len(wrong)} faults', sep='\n')
    return 1 if wrong else 0

if __name__ == '__main__':
    try:
        folder, keys = sys.argv[1:]
        sys.exit(verify(folder, [line.split()[0] for line in open(keys, encoding='utf-8') if line.strip() and not line.startswith('#')]))
    except Exception as error:
        sys.exit(print(f'could not check: {error!r}', file=sys.stderr) or 2)
