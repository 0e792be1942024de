/* The worker's sleep and what ends it (src/queue/ring.c, argument 4).
 *
 * The producer's store of tail waits in a store buffer until it drains, at any
 * time. The worker's changes of the doorbell are read-modify-writes, which do
 * not wait. The barrier that the worker issues for all threads ends when the
 * producer's buffer has been seen empty once.
 *
 * To prove: never are both a record published and the worker asleep for good;
 * a ring of the bell is served. Spin reports a violation as an invalid end
 * state. Each mutant (-D...) must be caught. */
#define RECORDS 3

#define AWAKE  0
#define PARKED 1
#define RUNG   2

byte tail = 0;
bool buffered = false;
byte buffered_tail = 0;
byte bell = AWAKE;
bool asleep = false;
bool request = false;
bool served = false;
byte taken = 0;

active proctype store_buffer()
{
end:
    do
    :: atomic { buffered -> tail = buffered_tail; buffered = false }
    od
}

inline wake_if(seen)
{
    if
    :: seen == PARKED -> asleep = false
    :: else
    fi
}

active proctype producer()
{
    byte i = 0;
    byte seen;

    do
    :: i < RECORDS ->
#ifdef MUTANT_LOAD_FIRST
        seen = bell;
#endif
        /* A second store to the same place waits for the first. */
        atomic { !buffered -> buffered_tail = i + 1; buffered = true };
#ifndef MUTANT_LOAD_FIRST
        seen = bell;
#endif
        if
        :: seen == PARKED ->
            /* compare-and-swap: a locked instruction drains the buffer */
            !buffered;
            atomic {
                if
                :: bell == PARKED -> bell = RUNG; asleep = false
                :: else
                fi
            }
        :: else
        fi;
        i++
    :: else -> break
    od
}

/* A flush: says what it wants, then rings. */
active proctype flusher()
{
    byte seen;

    request = true;
    atomic {
        seen = bell;
#ifdef MUTANT_NOT_STICKY
        if
        :: seen == PARKED -> bell = RUNG
        :: else
        fi;
#else
        bell = RUNG;
#endif
        wake_if(seen)
    }
}

active proctype worker()
{
    byte seen;

    do
    :: taken == RECORDS && served -> break
    :: else ->
        /* One turn: take what is there, serve who asked. */
        seen = tail;
        taken = seen;
        if
        :: request -> served = true
        :: else
        fi;
        /* Park. */
        if
        :: atomic { bell == AWAKE -> bell = PARKED };
#ifndef MUTANT_NO_BARRIER
            !buffered; /* the barrier: seen empty once */
#endif
#ifdef MUTANT_NO_SECOND_LOOK
            seen = taken;
#else
            seen = tail;
#endif
            if
            :: seen != taken -> skip
            :: else ->
#ifdef MUTANT_NO_COMPARE
                asleep = true;
#else
                /* the futex: compares and sleeps in one step */
                atomic {
                    if
                    :: bell == PARKED -> asleep = true
                    :: else
                    fi
                };
#endif
                if
                :: !asleep
                :: taken == RECORDS && served -> break /* sleeps in peace */
                fi
            fi
        :: bell == RUNG
        fi;
        bell = AWAKE
    od
}
