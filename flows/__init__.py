"""Prefect flows and what they need: Orthanc, sites, ledger and lineage, and the `entwash` command.

Data goes one way: extract, anonymize, gate, load, verify, record. What is asked, and by which room:

    the flow: drain a site                              route
    what was found is moved, or waits                   drain
    who moves it: this process                          hands
    who moves it: tasks of Prefect, here, on a cluster  tasks
    an end that is away costs no attempt                breaker
    one run: what it did, counted                       tally
    one run: its beginning and its end, recorded        run
    what a run at one site works with                   desk
    what a run looks at, and how far the feed was read  look, cursor
    what is stable at the hospital and not settled      inventory
    which studies leave at all, and which wait          selection
    what one run notes down for the next                notes
    who works at what, so that nothing is done twice    leases
    one study, from the hospital to the cloud           study
    what leaves while its study still arrives           early
    what of that is withdrawn when the study is stable  withdrawal
    what of it may leave, and why the rest may not      proof
    references whose target did not come with it        pending
    what the cloud has of a study that comes again      copies
    what was loaded before, as the gate asks for it     earlier
    the outcome of a study, put together                outcome
    what is recorded, append-only                       ledger, ledger.book, ledger.records
    a record as columns, and back                       ledger.columns
    looked up in the records: what is settled, links    ledger.settled, ledger.links
    records of runs of earlier days, in one file a day  ledger.packing
    the tables that people query                        ledger.lineage, ledger.database  tables/lineage.sql
    many requests at once                               threads
    where a site's studies stand, quickly, in numbers   ledger.standing
    an Orthanc: questions, bytes, proven delivery       orthanc, orthanc.client, orthanc.wire
    what stands in an Orthanc's index                   orthanc.catalogue
    how often a request is put                          orthanc.attempts
    what an Orthanc says, and what it calls things      orthanc.answers, orthanc.records, orthanc.identifiers
    hospitals, cloud and project: the sites file        settings, settings.sites, settings.sitesfile
    sites file: what a row of [selection] may say       settings.selectionrow, settings.patterns
    sites file: hours of a hospital; nothing unknown    settings.hours, settings.closed
    what can go wrong, and whether to try again         errors
    the `entwash` command                               cli
    options, endings and messages of all commands       terminal
    the flow in this process, without a worker          run_here
    what was there before the site was connected        backfill, archive, archive.command
    backfill: which studies it means, what it would do  archive.criteria, archive.plan
    backfill: these, moved one after the other          archive.work
    backfill: when it may work, and whom it lets go     archive.window, archive.pace
    backfill: without Prefect                           archive.here
    backfill: how far it is, in Prefect                 archive.progress
    the nightly comparison of hospital, ledger, cloud   reconcile, reconciliation, reconciliation.compare
    reconciliation: the three side by side              reconciliation.inventories  tables/reconcile.sql
    reconciliation: what the two ends say               reconciliation.hospital, reconciliation.cloud
    reconciliation: what is mended alone                reconciliation.heal
    reconciliation: what it does at its end             reconciliation.ending
    reconciliation: its page, and the command           reconciliation.page, reconciliation.command
    what a person sees of a run: name, progress, end    shown, shown.run
    seen in Prefect: how a run and a task end           shown.states
    seen in Prefect: a run's table, a site's page       shown.table, shown.page
    seen in Prefect: events that may call somebody      shown.alarms
    what page and alarms know from run to run           shown.remembered
    held studies: what is held, and its page            held, held.studies, held.page  tables/advice.toml
    held studies: what stands in the source             held.source
    held studies: trying again, and the commands        held.release, held.command
"""

import logging
import warnings

# pydicom's warnings and log lines quote values, and whoever runs a flow keeps what it prints.
warnings.filterwarnings("ignore", module=r"pydicom\.")
logging.getLogger("pydicom").setLevel(logging.CRITICAL)
