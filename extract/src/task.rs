//! The shard of a task of a cluster's scheduler.

use features::Shard;

/// Stands for the number of the task.
const AUTO: &str = "auto";

/// Reads `I/N`, or `auto/N`, where the scheduler sets the number of the task: `JOB_COMPLETION_INDEX` (a Kubernetes
/// indexed job), or `SLURM_ARRAY_TASK_ID` minus `SLURM_ARRAY_TASK_MIN` (a Slurm array of N tasks).
pub(crate) fn shard(text: &str) -> Result<Shard, String> {
    parse(text, |name| std::env::var(name).ok())
}

fn parse(text: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Shard, String> {
    let Some(count) = text.strip_prefix(AUTO).and_then(|rest| rest.strip_prefix('/')) else {
        return text.parse();
    };
    let number = |name: &str| {
        let value = variable(name)?;
        Some(value.parse::<u32>().map_err(|_| format!("{name}: `{value}` is not a number")))
    };
    let index = if let Some(index) = number("JOB_COMPLETION_INDEX").transpose()? {
        index
    } else if let Some(task) = number("SLURM_ARRAY_TASK_ID").transpose()? {
        let first = number("SLURM_ARRAY_TASK_MIN").transpose()?.unwrap_or(0);
        let tasks = number("SLURM_ARRAY_TASK_COUNT").transpose()?;
        // A part of an array that is submitted again counts from its own first task.
        if let Some(tasks) = tasks.filter(|tasks| count.parse() != Ok(*tasks)) {
            return Err(format!("this array has {tasks} tasks; name the shard itself, I/{count}"));
        }
        task.checked_sub(first).ok_or("SLURM_ARRAY_TASK_ID is below SLURM_ARRAY_TASK_MIN")?
    } else {
        return Err("neither JOB_COMPLETION_INDEX nor SLURM_ARRAY_TASK_ID is set".to_owned());
    };
    format!("{index}/{count}").parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str, variables: &[(&str, &str)]) -> Result<String, String> {
        let variable = |wanted: &str| {
            let found = variables.iter().find(|(name, _)| *name == wanted);
            found.map(|(_, value)| (*value).to_owned())
        };
        parse(text, variable).map(|shard| shard.to_string())
    }

    #[test]
    fn the_number_of_the_task_is_read_from_the_scheduler() {
        let kubernetes = [("JOB_COMPLETION_INDEX", "3")];
        assert_eq!(parsed("auto/8", &kubernetes), Ok("3/8".to_owned()));
        assert_eq!(parsed("5/8", &kubernetes), Ok("5/8".to_owned()));
        assert!(parsed("auto/3", &kubernetes).unwrap_err().contains("3/3"));
        let slurm = [
            ("SLURM_ARRAY_TASK_ID", "4"),
            ("SLURM_ARRAY_TASK_MIN", "1"),
            ("SLURM_ARRAY_TASK_COUNT", "4"),
        ];
        assert_eq!(parsed("auto/4", &slurm), Ok("3/4".to_owned()));
        assert!(
            parsed("auto/8", &slurm).unwrap_err().contains("4 tasks; name the shard itself, I/8")
        );
        assert_eq!(parsed("auto/8", &slurm[..1]), Ok("4/8".to_owned()));
        assert!(parsed("auto/8", &[]).unwrap_err().contains("neither"));
        assert!(parsed("auto/8", &[("JOB_COMPLETION_INDEX", "x")]).unwrap_err().contains("`x`"));
        assert!(parsed("auto", &[]).unwrap_err().contains("I/N"));
    }
}
