-- Which version of the judge, and what it says beside its score.
ALTER TABLE score ADD COLUMN version TEXT;
ALTER TABLE score ADD COLUMN comment TEXT;
