-- Most questions ask for providers and models, or for agents. Levels 3 to 5
-- are levels 0 to 2 by provider and model alone, 6 to 8 by agent alone; what
-- a row is not kept apart by is 0 in it.
INSERT INTO rollup
SELECT project, level + 3, start, provider, model, 0, 0, 0, 0,
    sum(spans), sum(calls), sum(unpriced), sum(estimated),
    sum(cost_nano) + sum(cost_rest) / 1000000, sum(cost_rest) % 1000000,
    sum(client_nano) + sum(client_rest) / 1000000, sum(client_rest) % 1000000,
    sum(duration_ns), sum(input_text), sum(input_cache_read),
    sum(input_cache_write), sum(input_cache_write_1h), sum(input_audio),
    sum(input_image), sum(input_video), sum(output_text),
    sum(output_reasoning), sum(output_audio), sum(output_image),
    sum(output_video), sum(web_searches)
FROM rollup WHERE level < 3 GROUP BY project, level, start, provider, model;

INSERT INTO rollup
SELECT project, level + 6, start, 0, 0, agent, 0, 0, 0,
    sum(spans), sum(calls), sum(unpriced), sum(estimated),
    sum(cost_nano) + sum(cost_rest) / 1000000, sum(cost_rest) % 1000000,
    sum(client_nano) + sum(client_rest) / 1000000, sum(client_rest) % 1000000,
    sum(duration_ns), sum(input_text), sum(input_cache_read),
    sum(input_cache_write), sum(input_cache_write_1h), sum(input_audio),
    sum(input_image), sum(input_video), sum(output_text),
    sum(output_reasoning), sum(output_audio), sum(output_image),
    sum(output_video), sum(web_searches)
FROM rollup WHERE level < 3 GROUP BY project, level, start, agent;
