-- A clean-up that a new version runs on its first start: pages that hardly anybody visited are forgotten.
SET SESSION lock_wait_timeout = 5;

-- rehearse: name visits-trim
DELETE FROM visits WHERE hits < 900;
