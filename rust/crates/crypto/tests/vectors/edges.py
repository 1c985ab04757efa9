# SPDX-License-Identifier: Apache-2.0
"""Writes edges.txt: ECDSA P-256 claims at the edges of the arithmetic, judged by plain affine formulas.

Run: python edges.py > edges.txt
"""

from __future__ import annotations

import random

P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
Point = tuple[int, int] | None  # None is infinity


def add(a: Point, b: Point) -> Point:
    if a is None or b is None:
        return b if a is None else a
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def multiply(k: int, point: Point) -> Point:
    total = None
    for bit in bin(k % N)[2:]:
        total = add(total, total)
        if bit == "1":
            total = add(total, point)
    return total


def lift(x: int) -> Point:
    """A point with this x, if there is one."""
    square = (x**3 - 3 * x + B) % P
    y = pow(square, (P + 1) // 4, P)
    return (x, y) if y * y % P == square else None


def verify(q: Point, e: int, r: int, s: int) -> bool:
    if not (0 < r < N and 0 < s < N):
        return False
    w = pow(s, -1, N)
    point = add(multiply(e * w, G), multiply(r * w, q))
    return point is not None and point[0] % N == r


def emit(name: str, q: Point, e: int, r: int, s: int) -> None:
    print(name, *(f"{n:064x}" for n in (*q, e, r, s)), "valid" if verify(q, e, r, s) else "invalid")


def with_multipliers(name: str, q: Point, u1: int, u2: int) -> None:
    """A claim whose verification computes u1·G + u2·Q: a valid one, unless that is infinity."""
    point = add(multiply(u1, G), multiply(u2, q))
    r = point[0] % N if point else 12345
    s = r * pow(u2, -1, N) % N
    e = u1 * s % N
    emit(name, q, e, r, s)
    # Neither the negated point nor a neighbour must pass for it.
    emit(name + "-near", q, e, r % N + 1, s)


def small_keys() -> None:
    factors = [1, 2, 3, 4, 5, 255, 256, 257, 1 << 13, 1 << 104, 1 << 208, (N + 1) // 2]
    for factor in factors:
        for key in (factor, N - factor):
            q = multiply(key, G)
            inverse = pow(key, -1, N)
            for u2 in (1, 2, 3, 16, 255, (N - 1) // 2, N - 1):
                # Equal, opposite and zero multiples of the generator, and their neighbours.
                for u1 in {key * u2 % N, -key * u2 % N, 0, 1, u2, (key * u2 + 1) % N}:
                    if random.random() < 0.2:
                        with_multipliers(f"key-{key % N:x}"[:24], q, u1, u2)
            with_multipliers("inverse", q, 1, inverse)
            with_multipliers("inverse", q, N - 1, inverse)


def candidates_above_order() -> None:
    """x of the point between n and p: r is x − n, and only r + n matches. And x just below those."""
    for start, count in ((N, 12), (N - 40, 6), (1, 6), (P - N - 12, 8)):
        x = start
        while count:
            point = lift(x)
            x += 1
            if point is None or point[0] % N == 0:
                continue
            count -= 1
            u1, u2 = random.randrange(1, N), random.randrange(1, N)
            q = multiply(pow(u2, -1, N), add(point, multiply(N - u1, G)))
            r = point[0] % N
            s = r * pow(u2, -1, N) % N
            emit("candidate", q, u1 * s % N, r, s)
            # The other number that might be taken for r.
            if r < P - N and point[0] == r + N:
                emit("candidate-plus", q, u1 * s % N, r + N, s)
            if point[0] < 1 << 128:
                emit("candidate-minus", q, u1 * s % N, (r - P) % N, s)


def out_of_range() -> None:
    q = multiply(0xFEDCBA987654321, G)
    numbers = [0, 1, 2, N // 2, N // 2 + 1, N - 1, N, N + 1, P - 1, P, P + 1, (1 << 256) - 1]
    for r in numbers:
        for s in numbers:
            emit("range", q, 77, r, s)


def digests() -> None:
    for e in (0, 1, N - 1, N, N + 1, P, (1 << 256) - 1, 1 << 255):
        for key in (1, 2, N - 1, random.randrange(N)):
            k = random.randrange(1, N)
            r = multiply(k, G)[0] % N
            s = (e + r * key) * pow(k, -1, N) % N
            emit("digest", multiply(key, G), e, r, s)
            emit("digest-high-s", multiply(key, G), e, r, N - s)


random.seed(20240229)
print("# Written by edges.py. Each line: name, x and y of the key, e, r, s, and the verdict.")
small_keys()
candidates_above_order()
out_of_range()
digests()
