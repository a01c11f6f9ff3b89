-- The tables that people query: views over the ledger's files. docs/lineage.md explains every column.
-- `record` orders what happened; it never depends on a clock that was set back.
-- Words with a dollar sign are patterns of files: flows.ledger.lineage puts them in.

CREATE SCHEMA IF NOT EXISTS raw;

CREATE VIEW raw.runs AS FROM read_parquet($runs, union_by_name = true, hive_partitioning = false);
CREATE VIEW raw.seen AS FROM read_parquet($seen, union_by_name = true, hive_partitioning = false);
CREATE VIEW raw.studies AS FROM read_parquet($studies, union_by_name = true, hive_partitioning = false);
CREATE VIEW raw.releases AS FROM read_parquet($releases, union_by_name = true, hive_partitioning = false);
CREATE VIEW raw.reconciliations AS
FROM read_parquet($reconciliations, union_by_name = true, hive_partitioning = false);

CREATE VIEW raw.early AS FROM read_parquet($early, union_by_name = true, hive_partitioning = false);

-- The latest record of each study, with its lists.
CREATE VIEW raw.latest AS
FROM raw.studies
QUALIFY row_number() OVER (PARTITION BY site, project, work ORDER BY record DESC) = 1;

CREATE VIEW runs AS
SELECT
    site,
    project,
    run_id,
    min(trigger) AS trigger,
    arg_max(event, record) AS state,
    min("at") FILTER (WHERE event = 'started') AS started_at,
    max("at") FILTER (WHERE event <> 'started') AS finished_at,
    arg_max(seconds, record) AS seconds,
    arg_max(studies, record) AS studies,
    arg_max(instances, record) AS instances,
    arg_max(loaded, record) AS loaded,
    arg_max(held, record) AS held,
    arg_max(waiting, record) AS waiting
FROM raw.runs
GROUP BY site, project, run_id;

-- A doorbell that rings makes a run that finds by the feed; a sweep that finds has a doorbell, or an event, lost.
CREATE VIEW found AS
WITH woken AS (
    SELECT run_id, min(trigger) AS trigger
    FROM raw.runs
    GROUP BY run_id
)
SELECT
    site, project, seen_at::DATE AS day, found_by, trigger,
    count(DISTINCT work) AS studies
FROM raw.seen
LEFT JOIN woken USING (run_id)
GROUP BY ALL;

CREATE VIEW studies AS
SELECT
    site, project, work, snapshot, run_id,
    patient_id, study_instance_uid, study_date, modalities,
    status, reason, source_instances,
    key_id, pseudonyms, profile_name, profile_digest, engine_version,
    started_at, finished_at, seconds, record
FROM raw.latest;

CREATE VIEW series AS
SELECT
    site, project, work, run_id, patient_id, study_instance_uid,
    s.series_instance_uid, s.modality, s.instances
FROM raw.latest, unnest(series) AS t (s);

-- Records of an older shape do not say of each instance what made it: the study's words hold for all of them.
CREATE VIEW instances AS
SELECT
    site, project, work, run_id, patient_id, study_instance_uid,
    i.series_instance_uid, i.sop_instance_uid, i.sop_class_uid,
    i.status, i.reason, i.size, i.sha256, i.md5, i.source,
    CASE WHEN i.md5 <> '' THEN coalesce(nullif(i.profile_digest, ''), l.profile_digest) END AS profile_digest,
    CASE WHEN i.md5 <> '' THEN coalesce(nullif(i.engine_version, ''), l.engine_version) END AS engine_version
FROM raw.latest AS l, unnest(instances) AS t (i);

-- What the hospital did to instances since they were loaded, and since when runs saw it so.
CREATE VIEW changed_at_source AS
WITH noticed AS (
    SELECT site, project, work, c.sop_instance_uid AS sop_instance_uid, c.change AS change, min(finished_at) AS since
    FROM raw.studies, unnest(changes) AS t (c)
    GROUP BY ALL
)
SELECT
    l.site, l.project, l.work, l.run_id, l.patient_id, l.study_instance_uid,
    c.sop_instance_uid, c.change, n.since AS noticed_at
FROM raw.latest AS l, unnest(l.changes) AS t (c)
JOIN noticed AS n
    ON l.site = n.site AND l.project = n.project AND l.work = n.work
    AND c.sop_instance_uid = n.sop_instance_uid AND c.change = n.change;

-- What the cloud has of a site: instances, series, studies and frames of reference that can be pointed at, and the
-- works that they came with, one or the first and the last of several. What was loaded once stays there, whatever
-- became of its study since.
CREATE VIEW raw.released AS
WITH
loaded AS (
    SELECT site, project, work, study_instance_uid, frames, [i FOR i IN instances IF i.status = 'loaded'] AS instances
    FROM raw.studies
    WHERE len([i FOR i IN instances IF i.status = 'loaded']) > 0
),
targets AS (
    SELECT site, project, work, i.sop_instance_uid AS target FROM loaded, unnest(instances) AS t (i)
    UNION ALL
    SELECT site, project, work, i.series_instance_uid FROM loaded, unnest(instances) AS t (i)
    UNION ALL
    SELECT site, project, work, study_instance_uid FROM loaded
    UNION ALL
    SELECT site, project, work, f FROM loaded, unnest(frames) AS t (f)
)
SELECT site, project, target, min(work) AS first_work, max(work) AS last_work
FROM targets
GROUP BY site, project, target;

-- A run knows its study and what the hospital had then; whether a target came since is known here.
CREATE VIEW "references" AS
WITH
edges AS (
    SELECT site, project, work, run_id, study_instance_uid, unnest("references") AS r
    FROM raw.latest
),
-- Studies that were seen at the hospital, in the cloud by now or not.
waiting AS (
    SELECT DISTINCT site, project, study_instance_uid AS target FROM raw.seen
),
found AS (
    SELECT
        e.site, e.project, e.work, e.run_id, e.study_instance_uid,
        e.r.instance, e.r.level, e.r.target,
        e.r.level = 'frame-of-reference' AS is_frame,
        CASE
            WHEN e.r.state = 'resolved' THEN 'resolved'
            -- Whoever stands alone in a frame of reference does not answer for it himself.
            WHEN c.first_work <> e.work OR c.last_work <> e.work OR (c.target IS NOT NULL AND NOT is_frame)
            THEN 'elsewhere'
            WHEN e.r.state = 'pending' OR w.target IS NOT NULL THEN 'pending'
            ELSE 'external'
        END AS state
    FROM edges AS e
    LEFT JOIN raw.released AS c
        ON e.site = c.site AND e.project = c.project AND e.r.target = c.target
    LEFT JOIN waiting AS w
        ON e.site = w.site AND e.project = w.project AND e.r.target = w.target
)
SELECT
    site, project, work, run_id, study_instance_uid, instance, level, target,
    CASE
        -- It waits as long as an image beside it does. If these came and do not stand in it, nothing will.
        WHEN is_frame AND state IN ('pending', 'external') THEN
            CASE
                WHEN bool_or(state = 'pending' AND NOT is_frame) OVER (PARTITION BY site, project, work, instance)
                THEN 'pending'
                ELSE 'external'
            END
        ELSE state
    END AS state
FROM found;

-- What waits for its target, since the first record that had it.
CREATE VIEW pending AS
WITH first AS (
    SELECT site, project, work, r.target AS target, min(finished_at) AS since
    FROM raw.studies, unnest("references") AS t (r)
    WHERE r.state <> 'resolved'
    GROUP BY ALL
)
SELECT
    p.site, p.project, p.work, p.study_instance_uid, p.level, p.target,
    count(DISTINCT p.instance) AS instances,
    any_value(since) AS since,
    -- All times here are UTC, whatever the reader's zone is.
    make_timestamp(epoch_us(now())) - any_value(since) AS age
FROM "references" AS p
LEFT JOIN first USING (site, project, work, target)
WHERE p.state = 'pending'
GROUP BY ALL;

CREATE VIEW pending_by_site AS
SELECT
    site, project,
    count(DISTINCT work) AS studies,
    count(*) AS targets,
    min(since) AS oldest_since,
    max(age) AS oldest_age
FROM pending
GROUP BY site, project;

-- A held study shows even if nobody wrote down a finding.
CREATE VIEW held AS
WITH
-- When each study was last settled without a hold; what was held after that is held since then.
free AS (
    SELECT site, project, work, coalesce(max(record) FILTER (WHERE status <> 'held'), '') AS until
    FROM raw.studies
    GROUP BY site, project, work
),
begun AS (
    SELECT site, project, work, min(finished_at) AS since
    FROM raw.studies
    JOIN free USING (site, project, work)
    WHERE record > until
    GROUP BY site, project, work
)
SELECT
    site, project, work, run_id, patient_id, study_instance_uid,
    h.sop_instance_uid, h.code, h.place, h.message,
    coalesce(since, finished_at) AS held_since, finished_at AS held_at
FROM raw.latest
LEFT JOIN begun USING (site, project, work),
    unnest(
        CASE
            WHEN len(held) > 0 THEN held
            WHEN status = 'held'
            THEN [{'sop_instance_uid': '', 'code': reason, 'place': '', 'message': ''}]
        END
    ) AS t (h);

-- What became of a release is what the first attempt that knew of it says, or one that left nothing to try.
CREATE VIEW releases AS
SELECT
    r.site, r.project, r.work, r.study_instance_uid,
    r.who, r.why, r.released_at,
    arg_min(s.run_id, s.record) AS tried_in,
    arg_min(s.status, s.record) AS became,
    r.record
FROM raw.releases AS r
LEFT JOIN raw.studies AS s
    ON r.site = s.site AND r.project = s.project AND r.work = s.work
    AND (s.release >= r.record OR (s.record > r.record AND s.status <> 'held'))
GROUP BY ALL;

-- Every delivery of every run: what the cloud said, each time it was asked.
CREATE VIEW deliveries AS
SELECT
    site, project, work, run_id, study_instance_uid,
    d.sop_instance_uid, d.cloud_md5, d.outcome, d.delivered_at, record
FROM raw.studies, unnest(deliveries) AS t (d);

-- What left before its study was stable. It is early until a record of its study calls it loaded, or it is withdrawn.
CREATE VIEW early AS
WITH loaded AS (
    SELECT
        site, project, work, i.series_instance_uid AS series, i.sop_instance_uid AS uid, min(finished_at) AS "at"
    FROM raw.studies, unnest(instances) AS t (i)
    WHERE i.status = 'loaded'
    GROUP BY ALL
),
latest AS (
    SELECT
        *,
        min("at") FILTER (WHERE event = 'leaving') OVER one AS first
    FROM raw.early
    -- What came again in another series is another one in the cloud.
    WINDOW one AS (PARTITION BY site, project, work, patient_id, series_instance_uid, sop_instance_uid)
    QUALIFY row_number() OVER (one ORDER BY record DESC) = 1
)
SELECT
    e.site, e.project, e.work, e.run_id, e.patient_id, e.study_instance_uid,
    e.series_instance_uid, e.sop_instance_uid, e.md5,
    CASE WHEN c.uid IS NOT NULL THEN 'complete' WHEN e.event = 'withdrawn' THEN 'withdrawn' ELSE 'early' END AS state,
    e.first AS left_at,
    CASE state WHEN 'complete' THEN c."at" WHEN 'withdrawn' THEN e."at" END AS settled_at
FROM latest AS e
LEFT JOIN loaded AS c
    ON e.site = c.site AND e.project = c.project AND e.work = c.work
    AND e.series_instance_uid = c.series AND e.sop_instance_uid = c.uid;

CREATE VIEW checks AS
SELECT
    site, project, work, run_id, study_instance_uid,
    c.key AS name, c.value AS count
FROM raw.latest, unnest(map_entries(checks)) AS t (c);

-- What the selection lets wait for something that has to come with it; it counts as in flight.
CREATE VIEW waiting AS
WITH seen AS (
    SELECT
        site, project, work,
        arg_max(snapshot, record) AS snapshot,
        arg_max(study_instance_uid, record) AS study_instance_uid,
        arg_max(source_instances, record) AS instances,
        arg_max(coalesce(waits, ''), record) AS reason,
        min(seen_at) FILTER (WHERE waits <> '') AS since
    FROM raw.seen
    GROUP BY site, project, work
)
SELECT
    site, project, work, s.study_instance_uid, s.instances, s.reason, s.since,
    make_timestamp(epoch_us(now())) - s.since AS age
FROM seen AS s
LEFT JOIN raw.latest AS l USING (site, project, work)
WHERE s.reason <> '' AND s.snapshot IS DISTINCT FROM l.snapshot;

CREATE VIEW balance AS
WITH found AS (
    SELECT
        site, project, work,
        arg_min(seen_at, record) AS first_seen,
        arg_max(source_instances, record) AS source_instances,
        arg_max(snapshot, record) AS snapshot,
        arg_max(study_instance_uid, record) AS study_instance_uid,
        max(record) AS last_seen
    FROM raw.seen
    GROUP BY site, project, work
),
-- Opening the files is what costs: read them once, for the records and for the deliveries.
records AS MATERIALIZED (
    SELECT
        site, project, work, record, snapshot, study_instance_uid, started_at, status, source_instances,
        len([c FOR c IN changes IF c.change = 'gone']) AS gone,
        [{'uid': i.sop_instance_uid, 'status': i.status, 'md5': i.md5} FOR i IN instances] AS instances,
        deliveries
    FROM raw.studies
),
latest AS (
    FROM records
    QUALIFY row_number() OVER (PARTITION BY site, project, work ORDER BY record DESC) = 1
),
-- What the cloud last said about each instance.
cloud AS (
    SELECT site, project, d.sop_instance_uid AS uid, arg_max(d.cloud_md5, (record, d.delivered_at)) AS md5
    FROM records, unnest(deliveries) AS t (d)
    GROUP BY site, project, uid
),
listed AS (
    SELECT site, project, work, i.uid, i.status, i.md5
    FROM latest, unnest(instances) AS t (i)
),
-- Loaded is what the cloud's own digest proves; the word of the record is not enough.
judged AS (
    SELECT
        site, project, work, uid,
        CASE
            WHEN listed.status <> 'loaded' THEN listed.status
            WHEN length(listed.md5) = 32 AND listed.md5 = cloud.md5 THEN 'loaded'
            ELSE 'unproven'
        END AS verdict
    FROM listed
    LEFT JOIN cloud USING (site, project, uid)
),
counted AS (
    SELECT
        site, project, work,
        count(DISTINCT uid) FILTER (WHERE verdict = 'loaded') AS loaded,
        count(*) FILTER (WHERE verdict = 'held') AS held,
        count(*) FILTER (WHERE verdict = 'excluded') AS excluded,
        count(DISTINCT uid) FILTER (WHERE verdict = 'unproven') AS unproven
    FROM judged
    GROUP BY site, project, work
),
-- A held or excluded study that lists no instance speaks for all of them.
recorded AS (
    SELECT
        site, project, work, s.record, s.snapshot, s.study_instance_uid, s.started_at,
        coalesce(s.gone, 0) AS gone,
        coalesce(loaded, 0) AS loaded,
        coalesce(held, CASE s.status WHEN 'held' THEN s.source_instances ELSE 0 END) AS held,
        coalesce(excluded, CASE s.status WHEN 'excluded' THEN s.source_instances ELSE 0 END) AS excluded,
        coalesce(unproven, 0) AS unproven
    FROM latest AS s
    LEFT JOIN counted USING (site, project, work)
),
summed AS (
    SELECT
        site, project, work,
        coalesce(f.first_seen, r.started_at)::DATE AS day,
        coalesce(r.study_instance_uid, f.study_instance_uid) AS study_instance_uid,
        coalesce(f.source_instances, 0) AS source_instances,
        coalesce(r.loaded, 0) AS loaded,
        coalesce(r.held, 0) AS held,
        coalesce(r.excluded, 0) AS excluded,
        coalesce(r.unproven, 0) AS unproven,
        coalesce(r.gone, 0) AS gone_at_source,
        coalesce(f.snapshot = r.snapshot, false) AS same_snapshot,
        coalesce(f.last_seen > r.record, false) AS seen_since
    FROM found AS f
    FULL JOIN recorded AS r USING (site, project, work)
)
SELECT
    site, project, day, work, study_instance_uid,
    source_instances, loaded, held, excluded,
    source_instances - loaded - held - excluded AS in_flight,
    unproven, gone_at_source,
    unproven = 0
    -- A record of what the hospital still has must answer for every instance of it. Of a study that was seen to change
    -- since, the next one will: until then `in_flight` is what came, or less than nothing where it lost something.
    AND NOT (same_snapshot AND in_flight <> 0)
    AND (in_flight >= 0 OR seen_since) AS balanced
FROM summed;

CREATE VIEW balance_by_site AS
SELECT
    site, project,
    count(*) AS studies,
    sum(source_instances)::BIGINT AS source_instances,
    sum(loaded)::BIGINT AS loaded,
    sum(held)::BIGINT AS held,
    sum(excluded)::BIGINT AS excluded,
    sum(in_flight)::BIGINT AS in_flight,
    sum(unproven)::BIGINT AS unproven,
    sum(gone_at_source)::BIGINT AS gone_at_source,
    count(*) FILTER (WHERE NOT balanced) AS unbalanced,
    min(day) FILTER (WHERE in_flight > 0) AS oldest_in_flight,
    bool_and(balanced) AS balanced
FROM balance
GROUP BY site, project;

-- What is found is recorded once, and once more when it is found no longer.
CREATE VIEW raw.found_or_closed AS
SELECT site, project, run_id, record, finished_at, true AS is_found, unnest(found, recursive := true)
FROM raw.reconciliations
UNION ALL BY NAME
SELECT site, project, run_id, record, finished_at, false AS is_found, unnest(closed, recursive := true)
FROM raw.reconciliations;

CREATE VIEW differences AS
WITH
reconciled AS (
    SELECT
        site, project, record,
        lag(finished_at) OVER sequence AS before,
        max(record) OVER (PARTITION BY site, project) AS last_record,
        arg_max(finished_at, record) OVER (PARTITION BY site, project) AS last_at
    FROM raw.reconciliations
    WINDOW sequence AS (PARTITION BY site, project ORDER BY record)
),
-- Of one difference, finding and closing take turns.
events AS (
    SELECT
        *,
        lead(record) OVER one AS closing_record,
        lead(finished_at) OVER one AS closed_at
    FROM raw.found_or_closed
    WINDOW one AS (
        PARTITION BY site, project, kind, work, study_instance_uid, sop_instance_uid ORDER BY record, is_found
    )
),
-- A reconciliation heals by moving, or by settling: that leaves an outcome of its own.
healing AS (
    SELECT site, project, work, record
    FROM raw.studies
    SEMI JOIN raw.reconciliations USING (run_id)
    WHERE status <> 'held' OR len([d FOR d IN deliveries IF d.outcome = 'stored']) > 0
)
SELECT
    e.site, e.project, e.kind, e.work, e.patient_id, e.study_instance_uid, e.sop_instance_uid, e.instances, e.reason,
    e.run_id,
    e.reason = '' AND e.kind IN ('not-in-cloud', 'not-taken-up', 'in-flight-gone') AND EXISTS (
        FROM healing AS h
        WHERE h.site = e.site AND h.project = e.project AND h.work = e.work
            AND h.record > e.record AND h.record < coalesce(e.closing_record, 'later')
    ) AS healed,
    e.finished_at AS first_seen,
    coalesce(c.before, l.last_at) AS last_seen,
    e.closed_at,
    e.closed_at IS NULL AS is_open
FROM events AS e
LEFT JOIN reconciled AS c ON c.site = e.site AND c.project = e.project AND c.record = e.closing_record
LEFT JOIN reconciled AS l ON l.site = e.site AND l.project = e.project AND l.record = l.last_record
WHERE e.is_found;

CREATE VIEW reconciliations AS
SELECT
    site, project, run_id, started_at, finished_at,
    hospital_studies, hospital_instances, ledger_studies, ledger_instances,
    cloud_studies, cloud_instances, digests, others, unjudged,
    len(found) AS found,
    len(closed) AS closed,
    (sum(len(found) - len(closed)) OVER (PARTITION BY site, project ORDER BY record))::BIGINT AS open,
    record
FROM raw.reconciliations;
