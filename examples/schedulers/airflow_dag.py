"""The night of `night.py` as an Airflow DAG: put both files into the folder of DAGs."""

import shlex
from datetime import datetime, timedelta

from airflow import DAG
from airflow.providers.standard.operators.bash import BashOperator
from night import ENVIRONMENT, commands

CAMPAIGN = "jewellery-1111"

with DAG(
    f"targeting-{CAMPAIGN}",
    schedule="0 2 * * *",
    start_date=datetime(2020, 11, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 1, "retry_delay": timedelta(minutes=5)},
):
    before = None
    for name, command in commands("{{ ds }}", CAMPAIGN, before="{{ macros.ds_add(ds, -1) }}").items():
        task = BashOperator(
            task_id=name,
            bash_command=" ".join(word if "{{" in word else shlex.quote(word) for word in command),
            env=ENVIRONMENT,
            append_env=True,
        )
        if before is not None:
            before >> task
        before = task
