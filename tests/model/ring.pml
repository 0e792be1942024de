/* One ring with its two segments: order, reuse and the way over and back
 * (src/queue/ring.c, arguments 1, 2 and 5).
 *
 * Each of the producer's variables has a store buffer of its own, so that its
 * stores become visible in any order; a release store is one that waits until
 * the earlier ones have. The first segment has place for one record, the second
 * for two.
 *
 * To prove: the worker reads every record once, in order, whole. Each mutant
 * (-D...) must be caught. */
#define RECORDS 6
#define NOWHERE 100
#define NONE    99

byte tail = 0;
byte head = 0;
byte start[2];
byte data[3]; /* 0: the first segment; 1, 2: the second */

bool ready = false; /* all is initialised */

/* Variables in buffers: 0..2 data, 3 and 4 start, 5 tail. */
bool has[6];
byte held[6];

inline drain(v)
{
    if
    :: v < 3 -> data[v] = held[v]
    :: v == 3 -> start[0] = held[v]
    :: v == 4 -> start[1] = held[v]
    :: v == 5 -> tail = held[v]
    fi;
    has[v] = false
}

active proctype store_buffers()
{
end:
    do
    :: atomic { has[0] -> drain(0) }
    :: atomic { has[1] -> drain(1) }
    :: atomic { has[2] -> drain(2) }
    :: atomic { has[3] -> drain(3) }
    :: atomic { has[4] -> drain(4) }
    :: atomic { has[5] -> drain(5) }
    od
}

inline store(v, value)
{
    atomic { !has[v] -> held[v] = value; has[v] = true }
}

#ifdef MUTANT_RELAXED_TAIL
#define RELEASED true
#else
#define RELEASED (!has[0] && !has[1] && !has[2] && !has[3] && !has[4])
#endif

active proctype producer()
{
    byte position = 0;
    byte segment = 0;
    byte begun = 0; /* the position at which it went over */
    byte room;
    byte known; /* the worker's head, as last seen */
    byte place;

    ready;
    do
    :: position < RECORDS ->
        known = head;
        /* Back to the first segment: only when nothing is left unread. */
        if
#ifdef MUTANT_BACK_TOO_SOON
        :: segment == 1 && position > begun ->
#else
        :: segment == 1 && position > begun && known == position ->
#endif
            store(4, NOWHERE);
            store(3, position);
            segment = 0;
            begun = position
        :: else
        fi;
        /* Over to the second: when the first is full. */
        if
        :: segment == 0 && known <= begun && position - begun == 1 ->
#ifdef MUTANT_OVER_UNTOLD
            skip;
#else
            store(4, position);
#endif
            segment = 1;
            begun = position
        :: else
        fi;
        room = segment + 1;
#ifndef MUTANT_NO_FLOOR
        /* Full: wait for the worker (the ring drops; waiting sees more). */
        position - (head > begun -> head : begun) < room;
#endif
        place = (segment == 0 -> 0 : 1 + position % 2);
        store(place, position);
        atomic { RELEASED && !has[5] -> held[5] = position + 1; has[5] = true };
        position++
    :: else -> break
    od
}

inline segment_of(position, s)
{
    atomic {
        if
        :: start[1] <= position &&
           (start[0] > position || start[1] > start[0]) -> s = 1
        :: else -> s = 0
        fi
    }
}

active proctype worker()
{
    byte position = 0;
    byte seen;
    byte s;
    byte value;

    ready;
    do
    :: position == RECORDS -> break
    :: else ->
#ifdef MUTANT_DATA_BEFORE_TAIL
        segment_of(position, s);
        value = data[(s == 0 -> 0 : 1 + position % 2)];
#endif
        seen = tail;
        if
        :: seen > position ->
#ifdef MUTANT_HEAD_BEFORE_DATA
            head = position + 1;
#endif
#ifndef MUTANT_DATA_BEFORE_TAIL
            segment_of(position, s);
            value = data[(s == 0 -> 0 : 1 + position % 2)];
#endif
            assert(value == position);
            position++;
            head = position
        :: else
        fi
    od
}

init
{
    atomic {
        data[0] = NONE;
        data[1] = NONE;
        data[2] = NONE;
        start[1] = NOWHERE;
        ready = true
    }
}
