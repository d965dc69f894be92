
// Every end-to-end test starts processes.
[assembly: Trait(Category.Name, Category.Slow)]
