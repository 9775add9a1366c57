# %% [markdown]
# # First steps on simulated brains
# Three methods without networks on simulated brains: 24 healthy ones and patients with a glioma. It takes a minute.

# %%
import uadbench

run = uadbench.run(
    ["thresh", "zscore", "lowrank"], "phantom-glioma", sequence="t1", preset="quick", data="data", out="first"
)
print(run.methods, run.cohorts)

# %% [markdown]
# The number by which the report ranks a method, with its 95 % confidence interval over patients:

# %%
for method in run.methods:
    line = run.number(method, "phantom-glioma")
    print(f"{method:8} Dice {line.mean:.3f} ({line.low:.3f} to {line.high:.3f}), {line.n:.0f} patients")

# %% [markdown]
# Two methods compared patient by patient, corrected for all pairs:

# %%
for verdict in uadbench.compare("first", "zscore", "lowrank").verdicts:
    print(verdict)

# %% [markdown]
# Every number behind it is a row of a table, and every map is an array:

# %%
print(run.rows.query("metric == 'auprc' and postprocessing == 'none'").groupby("method")["value"].mean())
case_id = run.cases("phantom-glioma")[0]
anomaly_map, case = run.anomaly_map("zscore", "phantom-glioma", case_id), run.case("phantom-glioma", case_id)
print(anomaly_map.shape, anomaly_map[case.lesion_mask].mean(), anomaly_map[case.brain_mask].mean())
