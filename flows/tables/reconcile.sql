-- Hospital, ledger and cloud side by side, for one reconciliation; in memory, beside the views of lineage.sql.
-- The variables are set by flows.reconciliation.inventories: site, project, day_ago, and the rules of now: profile, engine.

-- Every study that the ledger knows, of all sites and projects: one cloud may hold them all.
CREATE TEMP TABLE known AS
WITH
states AS (
    SELECT
        site, project, work, snapshot,
        max(record) AS record,
        min(seen_at) AS seen_at,
        arg_max(source_instances, record) AS instances,
        arg_max(coalesce(waits, ''), record) AS waits,
        arg_max(study_instance_uid, record) AS study_instance_uid
    FROM raw.seen
    GROUP BY ALL
),
seen AS (
    FROM states
    QUALIFY row_number() OVER (PARTITION BY site, project, work ORDER BY record DESC) = 1
),
outcomes AS MATERIALIZED (
    SELECT
        site, project, work, record, snapshot, study_instance_uid, patient_id, status, reason, profile_digest,
        engine_version, source_instances,
        len([i FOR i IN instances IF i.status = 'loaded']) AS loaded
    FROM raw.studies
),
latest AS (
    FROM outcomes
    QUALIFY row_number() OVER (PARTITION BY site, project, work ORDER BY record DESC) = 1
),
-- What was loaded once is in the cloud, whatever became of its study since.
loaded AS (
    SELECT
        site, project, work,
        arg_max(patient_id, record) AS patient_id,
        arg_max(profile_digest, record) AS profile,
        arg_max(engine_version, record) AS engine,
        arg_max(loaded, record) AS instances,
        list(record) AS records
    FROM outcomes
    WHERE loaded > 0
    GROUP BY ALL
)
SELECT
    site, project, work,
    coalesce(l.study_instance_uid, s.study_instance_uid) AS study_instance_uid,
    coalesce(o.patient_id, l.patient_id, '') AS patient_id,
    s.snapshot AS seen, s.seen_at, s.instances AS seen_instances, s.waits,
    l.snapshot AS settled, l.status, l.reason, l.source_instances, l.loaded AS loaded_last,
    o.profile, o.engine, coalesce(o.instances, 0) AS loaded, o.records
FROM seen AS s
FULL JOIN latest AS l USING (site, project, work)
LEFT JOIN loaded AS o USING (site, project, work);

CREATE TEMP VIEW here AS
SELECT *, seen IS NOT NULL AND seen IS DISTINCT FROM settled AS in_flight
FROM known
WHERE site = getvariable('site') AND project = getvariable('project');

-- The hospital's inventory as it was walked through; what is due had time enough to be taken up, and what is live is not
-- left to a backfill.
CREATE TEMP TABLE hospital (
    work VARCHAR, snapshot VARCHAR, study_instance_uid VARCHAR, instances BIGINT, is_due BOOLEAN,
    is_live BOOLEAN
);

-- All that the hospital has, listed at once: a study that a walk missed is not gone.
CREATE TEMP TABLE listed (work VARCHAR);

-- What the cloud has otherwise than the ledger says.
CREATE TEMP TABLE cloud_differences (
    kind VARCHAR, work VARCHAR, patient_id VARCHAR, study_instance_uid VARCHAR, sop_instance_uid VARCHAR,
    instances BIGINT
);

-- Studies that somebody else moved while they were looked at.
CREATE TEMP TABLE unjudged (work VARCHAR);

CREATE TEMP VIEW not_taken_up AS
SELECT
    h.work, k.patient_id, h.study_instance_uid,
    h.instances - CASE WHEN h.snapshot = k.settled THEN k.source_instances ELSE 0 END AS instances
FROM hospital AS h
LEFT JOIN here AS k USING (work)
WHERE h.is_due AND CASE
    WHEN k.work IS NULL THEN h.is_live
    WHEN h.snapshot = k.settled THEN h.instances > k.source_instances OR k.reason = 'deleted-at-hospital'
    ELSE h.snapshot IS DISTINCT FROM k.seen
END;

CREATE TEMP VIEW gone AS
SELECT k.* FROM here AS k ANTI JOIN hospital USING (work) ANTI JOIN listed USING (work)
WHERE k.reason IS DISTINCT FROM 'deleted-at-hospital' OR k.in_flight;

CREATE TEMP VIEW partly_gone AS
SELECT k.*, k.source_instances - h.instances AS missing
FROM here AS k
JOIN hospital AS h ON k.work = h.work AND k.settled = h.snapshot
WHERE h.instances < k.source_instances;

-- What is missing in the cloud is moved again if the same bytes come of it, and nobody else is to move it.
CREATE TEMP VIEW mending AS
SELECT
    k.work,
    CASE
        WHEN h.work IS NULL AND l.work IS NULL THEN 'deleted-at-hospital'
        WHEN k.in_flight OR h.snapshot IS DISTINCT FROM k.settled THEN 'changes-at-hospital'
        WHEN h.instances < k.source_instances THEN 'deleted-at-hospital'
        WHEN k.status = 'excluded' THEN 'excluded-since'
        WHEN k.profile <> getvariable('profile') OR k.engine <> getvariable('engine') THEN 'rules-changed'
        WHEN k.loaded_last = 0 THEN 'held-since'
        ELSE ''
    END AS reason
FROM here AS k
LEFT JOIN hospital AS h USING (work)
LEFT JOIN listed AS l USING (work);

-- What left before its study was stable and has no end, though it had a day for it: of the site, and of sites and projects
-- at which no run worked for a day. Those are called otherwise by now, or stand still: no run looks after it.
CREATE TEMP VIEW left_early AS
WITH
latest AS (
    FROM raw.early
    QUALIFY row_number() OVER (
        PARTITION BY site, project, work, patient_id, series_instance_uid, sop_instance_uid ORDER BY record DESC
    ) = 1
),
loaded_by_any AS (
    SELECT study_instance_uid, i.series_instance_uid AS series_instance_uid, i.sop_instance_uid AS sop_instance_uid
    FROM raw.studies, unnest(instances) AS t (i)
    WHERE i.status = 'loaded'
),
working AS (
    SELECT DISTINCT site, project FROM raw.runs WHERE "at" > getvariable('day_ago')
)
SELECT
    work, patient_id, study_instance_uid, series_instance_uid, sop_instance_uid,
    site = getvariable('site') AND project = getvariable('project') AS is_here
FROM latest
ANTI JOIN loaded_by_any USING (study_instance_uid, series_instance_uid, sop_instance_uid)
WHERE
    event = 'leaving'
    -- A clock that was far ahead says nothing about an age; what leaves while this looks is not old.
    AND "at" NOT BETWEEN getvariable('day_ago') AND getvariable('day_ago') + INTERVAL 2 DAY
    AND (is_here OR (site, project) NOT IN (SELECT (site, project) FROM working));

CREATE TEMP VIEW differences_now AS
WITH
all_kinds AS (
    SELECT
        c.kind, c.work, c.patient_id, c.study_instance_uid, c.sop_instance_uid, c.instances,
        CASE c.kind WHEN 'not-in-cloud' THEN m.reason ELSE '' END AS reason
    FROM cloud_differences AS c
    LEFT JOIN mending AS m USING (work)
    UNION ALL
    SELECT 'not-taken-up', work, patient_id, study_instance_uid, '', instances, '' FROM not_taken_up
    UNION ALL
    SELECT
        CASE WHEN in_flight THEN 'in-flight-gone' ELSE 'gone-at-hospital' END,
        work, patient_id, study_instance_uid, '', coalesce(seen_instances, source_instances), ''
    FROM gone
    UNION ALL
    SELECT 'gone-at-hospital', work, patient_id, study_instance_uid, '', missing, '' FROM partly_gone
    UNION ALL
    SELECT 'older-than', k.work, k.patient_id, k.study_instance_uid, '', h.instances, ''
    FROM here AS k JOIN hospital AS h USING (work)
    WHERE k.in_flight AND h.snapshot = k.seen AND k.seen_at < getvariable('day_ago') AND k.waits = ''
    UNION ALL
    SELECT 'unbalanced', work, '', study_instance_uid, '', source_instances, ''
    FROM balance
    WHERE site = getvariable('site') AND project = getvariable('project') AND NOT balanced
)
SELECT
    kind, work, coalesce(patient_id, '') AS patient_id, study_instance_uid, sop_instance_uid,
    coalesce(instances, 0)::BIGINT AS instances, coalesce(reason, '') AS reason
FROM all_kinds
ANTI JOIN unjudged USING (work);

CREATE TEMP VIEW differences_before AS
SELECT kind, work, patient_id, study_instance_uid, sop_instance_uid, instances, reason
FROM differences
WHERE site = getvariable('site') AND project = getvariable('project') AND is_open;
