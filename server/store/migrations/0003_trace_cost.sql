-- The dearest traces of a range are found in the index alone.
DROP INDEX trace_by_start;
CREATE INDEX trace_by_start ON trace (project, start_ns, cost_nano, cost_rest);
